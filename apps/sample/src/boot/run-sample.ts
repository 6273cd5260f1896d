import { ConsoleLogger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TaskQueue } from '@taskq/nestjs';
import { type Role, serves } from '../config/role.js';
import { loadSampleConfig, type SampleConfig } from '../config/sample-config.js';
import { bootScreen } from './boot-screen.js';
import { type Companions, startCompanions } from './companions.js';
import { createSample } from './create-sample.js';
import { welcome } from './welcome.js';

/** What a parent process is told once this one is up. */
export interface Listening {
  readonly listening: string;
}

/**
 * Runs the sample until it is told to end: reads the settings, connects, listens, and says what to try. With `--dev`
 * it brings along what is missing: a Redis, and a receiver of webhooks. What cannot work ends with one screen and
 * exit code 1.
 */
export async function runSample(role?: Role, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  let companions: Companions | undefined;
  try {
    companions = args.includes('--dev') ? await startCompanions(role) : undefined;
    const config = { ...loadSampleConfig(companions?.environment), ...(role && { role }) };
    const app = await createSample(config, new ConsoleLogger({ colors: Boolean(process.stdout.isTTY) }));
    const url = await listen(app, config);
    app.flushLogs();
    const { server, target } = app.get<TaskQueue>(TaskQueue, { strict: false }).broker;
    const redis = `${server.product} ${server.version} (${server.mode}) at ${target}`;
    const { sources = config.sources, receiverUrl } = companions ?? {};
    console.log(welcome({ ...config, sources }, { url, redis, receiverUrl }));
    process.send?.({ listening: url } satisfies Listening);
    endWithParent();
  } catch (error) {
    console.error(bootScreen(error));
    await companions?.stop();
    // Whatever was opened before it failed must not keep the process.
    process.exit(1);
  }
}

async function listen(app: NestExpressApplication, { role, http }: SampleConfig): Promise<string> {
  try {
    await app.listen(serves(role) ? http.port : http.workerPort, http.host);
    return await app.getUrl();
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
}

/** A child of the demo or of a test ends with it, even when that is killed. */
function endWithParent(): void {
  if (!process.send) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // Listening alone would keep this process from ending by itself.
  process.channel?.unref();
}
