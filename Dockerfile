# The sample application. The same image runs all three roles; override the command:
#   docker run … taskq-sample dist/apps/sample/main.worker.js

FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs/core/package.json libs/core/
COPY libs/nestjs/package.json libs/nestjs/
COPY libs/testing/package.json libs/testing/
COPY apps/sample/package.json apps/sample/
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
# node_modules links @taskq/* to libs/*, so both come along.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/libs ./libs
COPY --from=build /app/apps/sample/package.json ./apps/sample/
COPY --from=build /app/dist ./dist
COPY --from=build /app/config ./config
# Where films and thumbnails go; a volume mounted here keeps the owner.
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 3000
# Node runs as PID 1 and handles SIGTERM itself: no shell, no npm in between.
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/apps/sample/main.js"]
