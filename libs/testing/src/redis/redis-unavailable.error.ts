/**
 * No Redis server could be had: nothing found and nothing to download, a server that did not come up, or one named
 * by `REDIS_URL` / `TEST_REDIS_URL` that cannot be used. The message is meant to be shown as it is (it may be a
 * screen long) and never holds a password. It has no `cause`: ioredis errors carry the arguments of AUTH.
 */
export class RedisServerUnavailableError extends Error {
  readonly code = 'TASKQ_REDIS_SERVER_UNAVAILABLE';
  override readonly name = 'RedisServerUnavailableError';
}
