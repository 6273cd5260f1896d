import type { Redis } from 'ioredis';
import { RedisUnusableError } from '../contract/errors.js';
import { toBrokerError } from './redis-errors.js';

/** What was found behind the address. */
export interface ServerFacts {
  readonly product: 'redis' | 'valkey';
  readonly version: string;
  /** `standalone`, `sentinel` or `cluster`. */
  readonly mode: string;
  /** Eviction policy; `undefined` when the server does not tell. */
  readonly evictionPolicy: string | undefined;
  /** Whether writes are appended to a file; `undefined` when the server does not tell. */
  readonly appendOnly: boolean | undefined;
}

/** Reads what the server says of itself. @throws BrokerError when it does not answer */
export async function readServerFacts(client: Redis): Promise<ServerFacts> {
  try {
    const server = parseInfo(await client.info('server'));
    const memory = parseInfo(await client.info('memory'));
    const persistence = parseInfo(await client.info('persistence'));
    const valkey = server.valkey_version;
    return {
      product: valkey ? 'valkey' : 'redis',
      version: valkey ?? server.redis_version ?? 'unknown',
      mode: server.redis_mode ?? server.server_mode ?? 'standalone',
      evictionPolicy: memory.maxmemory_policy,
      appendOnly: persistence.aof_enabled === undefined ? undefined : persistence.aof_enabled === '1',
    };
  } catch (error) {
    throw toBrokerError(error);
  }
}

/** What makes a server unfit, in sentences that each say what to do; none when it is fit. */
export function unfitness(facts: ServerFacts): readonly string[] {
  const reasons: string[] = [];
  const minimum = facts.product === 'valkey' ? '7.2' : '7.0';
  if (facts.version !== 'unknown' && older(facts.version, minimum)) {
    reasons.push(`it is ${facts.product} ${facts.version}; taskq needs Redis 7.0 or Valkey 7.2 or newer`);
  }
  if (facts.evictionPolicy !== undefined && facts.evictionPolicy !== 'noeviction') {
    reasons.push(
      `its maxmemory-policy is "${facts.evictionPolicy}", which deletes tasks when memory is short; ` +
        'set it: redis-cli CONFIG SET maxmemory-policy noeviction',
    );
  }
  return reasons;
}

/** The one message of a server that must not be used. */
export function unfitError(target: string, reasons: readonly string[]): RedisUnusableError {
  return new RedisUnusableError(`Redis at ${target} must not be used: ${reasons.join('; ')}`, {
    fix: 'mend it, or set redis.unsafe to "warn" to go on at your own risk',
  });
}

function older(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = minimum.split('.').map(Number);
  return major < minMajor || (major === minMajor && minor < minMinor);
}

function parseInfo(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
