import type { ConnectionOptions } from 'node:tls';
import type { Duration } from '../contract/duration.js';
import {
  duration,
  group,
  hiddenText,
  integer,
  listOf,
  oneOf,
  optional,
  type OptionField,
} from './option-check.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How to reach Redis, and what to do when it is set up badly. */
export interface RedisOptions {
  /** `redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS, or the path of a unix socket. Wins over `addr`. */
  url?: string;
  /** `host:port`, `host`, or the path of a unix socket. Not beside `sentinels` or `cluster`. @default '127.0.0.1:6379' */
  addr?: string;
  /**
   * Sentinels that know where the primary is, each `host:port` (port 26379 unless given), 1 to 16. Instead of `url`,
   * `addr` and `cluster`.
   */
  sentinels?: readonly string[];
  /** Name by which the Sentinels know the primary. This and the next two only beside `sentinels`. @default 'mymaster' */
  sentinelName?: string;
  /** User of the Sentinels themselves. */
  sentinelUsername?: string;
  /** Password of the Sentinels themselves. */
  sentinelPassword?: string;
  /**
   * Nodes of a Redis Cluster that are asked first, each `host:port`, 1 to 64; the others are found through them.
   * Instead of `url`, `addr` and `sentinels`.
   */
  cluster?: readonly string[];
  /** User of Redis' access control lists. Wins over the one in `url`. */
  username?: string;
  /** Wins over the one in `url`. */
  password?: string;
  /** Database number, 0 to 15. Wins over the one in `url`. @default 0 */
  db?: number;
  /** Settings of Node's `tls.connect`; `rediss://` needs none when the system trusts the certificate. */
  tls?: ConnectionOptions;
  /** Longest wait for Redis when the engine connects first, 100 ms to 10 min. @default '10s' */
  connectTimeout?: Duration;
  /** Longest wait for the answer to one command, 100 ms to 1 min. @default '5s' */
  commandTimeout?: Duration;
  /**
   * What to do when Redis would lose or evict tasks (an eviction policy other than `noeviction`) or is older than
   * Redis 7.0 or Valkey 7.2: refuse to start, or warn and go on. @default 'refuse'
   */
  unsafe?: 'refuse' | 'warn';
  /**
   * What to do when Redis appends nothing to a file (`appendonly no`), so that a crash loses what came after its last
   * snapshot: nothing, warn, or refuse to start. @default 'warn'
   */
  persistence?: 'ignore' | 'warn' | 'require';
}

/** {@link RedisOptions} with every default filled in. */
export interface ResolvedRedisOptions {
  readonly url: string | undefined;
  readonly addr: string;
  readonly sentinels: readonly string[] | undefined;
  readonly sentinelName: string;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly cluster: readonly string[] | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly unsafe: 'refuse' | 'warn';
  readonly persistence: 'ignore' | 'warn' | 'require';
}

/**
 * The field of `redis` in the engine's options. Any text among them may be a secret, also where it was put by mistake:
 * what is refused is never shown. (What was accepted as a place is shown: host and port, and the name for Sentinels.)
 */
export const redisField: OptionField<ResolvedRedisOptions> = (value, path, problems) => {
  const anyText = { fits: (entry: string) => entry.length <= 4096, says: 'text' };
  const { connectTimeout, commandTimeout, ...rest } = group<
    Omit<ResolvedRedisOptions, 'connectTimeoutMs' | 'commandTimeoutMs'> & {
      connectTimeout: number;
      commandTimeout: number;
    }
  >({
    url: hiddenText(
      {
        fits: (url) => url.startsWith('/') || (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)),
        says: 'a URL that starts with redis:// or rediss://, or the path of a unix socket',
      },
      undefined,
    ),
    addr: hiddenText(
      {
        fits: (addr) => addr.startsWith('/') || ADDRESS.test(addr),
        says: 'host:port or the path of a unix socket',
      },
      '127.0.0.1:6379',
    ),
    sentinels: listOf(hiddenText(ADDRESS_RULE, ''), 16),
    sentinelName: hiddenText(
      { fits: (name) => /^[^\s]{1,128}$/.test(name), says: 'a name without spaces' },
      'mymaster',
    ),
    sentinelUsername: hiddenText(anyText, undefined),
    sentinelPassword: hiddenText(anyText, undefined),
    cluster: listOf(hiddenText(ADDRESS_RULE, ''), 64),
    username: hiddenText(anyText, undefined),
    password: hiddenText(anyText, undefined),
    db: optional(hiding(integer({ min: 0, max: 15 }, 0))),
    tls: (tls, at, found) => {
      if (tls === undefined || (typeof tls === 'object' && tls !== null)) return tls;
      found.push(`${at} must be an object of tls.connect options`);
      return undefined;
    },
    connectTimeout: hiding(duration({ min: 100, max: 10 * MINUTE }, 10 * SECOND)),
    commandTimeout: hiding(duration({ min: 100, max: MINUTE }, 5 * SECOND)),
    unsafe: hiding(oneOf(['refuse', 'warn'], 'refuse')),
    persistence: hiding(oneOf(['ignore', 'warn', 'require'], 'warn')),
  })(value, path, problems);
  refuseContradictions(value ?? {}, path, problems);
  if (rest.cluster && (rest.db ?? 0) !== 0) problems.push(`${join(path, 'db')} must be 0 in a Cluster`);
  return { ...rest, connectTimeoutMs: connectTimeout, commandTimeoutMs: commandTimeout };
};

/** What would be ignored, since something else that was written wins over it, was meant to count. */
function refuseContradictions(written: RedisOptions, path: string, problems: string[]): void {
  const given = (names: readonly (keyof RedisOptions)[]) =>
    names.filter((name) => written[name] !== undefined).map((name) => join(path, name));
  const places = given(['url', 'addr', 'sentinels', 'cluster']);
  const several = given(['sentinels', 'cluster']).length > 0 && places.length > 1;
  if (several) problems.push(`${places.join(' and ')} exclude each other`);
  if (written.sentinels !== undefined) return;
  for (const lonely of given(['sentinelName', 'sentinelUsername', 'sentinelPassword']))
    problems.push(`${lonely} is of use only beside ${join(path, 'sentinels')}`);
}

/** Like `field`, but text that it refuses is not shown. */
function hiding<T>(field: OptionField<T>): OptionField<T> {
  return (value, path, problems) => {
    const found: string[] = [];
    const resolved = field(value, path, found);
    const shown = (problem: string): string =>
      typeof value === 'string' ? problem.slice(0, problem.indexOf(', not ')) : problem;
    problems.push(...found.map(shown));
    return resolved;
  };
}

/** A host, or an IPv6 address in brackets, and perhaps a port. */
const ADDRESS = /^(\[[^\]]+\]|[^:@/\s]+)(:\d{1,5})?$/;
const ADDRESS_RULE = { fits: (address: string) => ADDRESS.test(address), says: 'host:port' };

function join(path: string, key: string): string {
  return `${path}.${key}`;
}
