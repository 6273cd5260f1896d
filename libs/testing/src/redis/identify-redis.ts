import { Redis } from 'ioredis';
import type { RedisConnection } from './redis-server.interface.js';

/** What a server says about itself. Fields it does not tell (a restricted account) are undefined. */
export interface RedisIdentity {
  version: string;
  processId: number | undefined;
  runId: string | undefined;
}

/** For the connection and for each answer. */
const ANSWER_TIMEOUT_MS = 3_000;

/** Connects, asks and disconnects. Rejects with an Error whose message is fit to print, see {@link reasonOf}. */
export function identify(connection: RedisConnection): Promise<RedisIdentity> {
  return withClient(connection, identityOf);
}

export async function identityOf(redis: Redis): Promise<RedisIdentity> {
  const info = await redis.info('server').catch((error: unknown) => {
    // An account may be forbidden INFO; that it answers at all is what counts.
    if (reasonOf(error).startsWith('NOPERM')) return '';
    throw error;
  });
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.+?)\\r?$`, 'm').exec(info)?.[1];
  return {
    // A Valkey reports the Redis version it is compatible with, too.
    version: field('valkey_version') ?? field('redis_version') ?? 'unknown',
    processId: Number(field('process_id')) || undefined,
    runId: field('run_id'),
  };
}

/**
 * One short connection that never retries: it works at once or fails at once. Whatever goes wrong is thrown as a
 * plain Error without the original: that carries the command, and the command of a failed login is the password.
 */
export async function withClient<T>(
  connection: RedisConnection,
  use: (redis: Redis) => Promise<T>,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<T> {
  const redis = new Redis({
    ...connection,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
  // connect() rejects with "Connection is closed"; the reason comes as an event.
  let firstError: unknown;
  redis.on('error', (error: unknown) => (firstError ??= error));
  try {
    await redis.connect();
    return await use(redis);
  } catch (error) {
    // oxlint-disable-next-line preserve-caught-error -- as a cause it would take the password along, see above
    throw new Error(reasonOf(firstError ?? error));
  } finally {
    redis.disconnect();
  }
}

/** The reason in one line: the system's code where there is one, else what the server answered. */
function reasonOf(error: unknown): string {
  const { code, message, errors } = error as { code?: string; message?: string; errors?: unknown[] };
  // A host with several addresses fails with one error for each.
  if (Array.isArray(errors) && errors.length > 0) return reasonOf(errors[0]);
  if (typeof code === 'string' && /^E[A-Z]+/.test(code)) return code;
  return (message ?? 'it failed').split('\n')[0] ?? '';
}
