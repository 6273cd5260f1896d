import type { Redis } from 'ioredis';
import type { Durability } from '../contract/durability.js';
import { RedisUnusableError } from '../contract/errors.js';
import { toBrokerError } from './redis-errors.js';
import { productOf, type ServerProduct, strangeness } from './server-product.js';

/** A replica speaks every second; one that was silent for so long does not keep up. Redis' own `min-replicas-max-lag`. */
const REPLICA_SILENT_S = 10;

/** What was found behind the address. */
export interface ServerFacts {
  readonly product: ServerProduct;
  /** Of the product, not the one of Redis that it may claim to be. */
  readonly version: string;
  /** Names this run of the server: another one after each start; `undefined` when the server does not tell. */
  readonly runId?: string | undefined;
  /** `standalone`, `sentinel` or `cluster`. */
  readonly mode: string;
  /** `master` or `slave`; `undefined` when the server does not tell. */
  readonly role?: string | undefined;
  /** Eviction policy; `undefined` when the server does not tell. */
  readonly evictionPolicy: string | undefined;
  /** Whether writes are appended to a file; `undefined` when the server does not tell. */
  readonly appendOnly: boolean | undefined;
  /** When that file is forced to disk: `always`, `everysec` or `no`; `undefined` when the server does not tell. */
  readonly appendFsync: string | undefined;
  /** Whether the server can be asked to wait for its disk (`WAITAOF`, Redis 7.2). */
  readonly waitAof: boolean;
  /** Replicas that are connected, have the data, and were heard of lately. */
  readonly replicas: number;
}

/** Reads what the server says of itself. @throws BrokerError when it does not answer */
export async function readServerFacts(client: Redis): Promise<ServerFacts> {
  try {
    return await askServer(client);
  } catch (error) {
    throw toBrokerError(error);
  }
}

/** Asks the server what it says of itself. @throws what the client throws */
export async function askServer(client: Redis): Promise<ServerFacts> {
  const [server, memory, persistence, replication, fsync, waitAof] = await Promise.all([
    client.info('server').then(parseInfo),
    client.info('memory').then(parseInfo),
    client.info('persistence').then(parseInfo),
    client.info('replication').then(parseInfo),
    // Services that manage Redis forbid CONFIG; COMMAND may be missing from an access control list.
    client.config('GET', 'appendfsync').catch(forbidden),
    client.command('INFO', 'WAITAOF').catch(forbidden),
  ]);
  return {
    ...productOf(server),
    runId: server.run_id,
    mode: server.redis_mode ?? server.server_mode ?? 'standalone',
    role: replication.role,
    evictionPolicy: memory.maxmemory_policy,
    appendOnly: persistence.aof_enabled === undefined ? undefined : persistence.aof_enabled === '1',
    appendFsync: settingOf(fsync),
    waitAof: Array.isArray(waitAof) && Array.isArray(waitAof[0]),
    replicas: replicasOf(replication),
  };
}

/** Why a server cannot give a durability, and what to do; nothing when it can. */
export function durabilityLack(
  durability: Durability,
  facts: ServerFacts,
): { readonly why: string; readonly fix: string } | undefined {
  if (durability === 'accepted') return undefined;
  if (durability !== 'durable') {
    const { replicated } = durability;
    if (facts.replicas >= replicated) return undefined;
    return {
      why: `${facts.replicas} of ${replicated} replicas are connected`,
      fix: 'add replicas, or ask for less: "durable" or "accepted"',
    };
  }
  if (facts.appendOnly !== true) {
    return {
      why:
        facts.appendOnly === undefined
          ? 'the server does not tell whether it persists'
          : 'it appends nothing to a file',
      fix: 'turn it on: redis-cli CONFIG SET appendonly yes',
    };
  }
  if (facts.waitAof || facts.appendFsync === 'always') return undefined;
  return {
    why: `it is ${facts.product} ${facts.version}, which cannot be asked to wait for its disk, with appendfsync "${facts.appendFsync ?? 'unknown'}"`,
    fix: 'set it: redis-cli CONFIG SET appendfsync always, or use Redis 7.2 or newer',
  };
}

/** What makes a server unfit, in sentences that each say what to do; none when it is fit. */
export function unfitness(facts: ServerFacts): readonly string[] {
  const reasons: string[] = [];
  const strange = strangeness(facts);
  if (strange !== undefined) reasons.push(strange);
  if (facts.evictionPolicy !== undefined && facts.evictionPolicy !== 'noeviction') {
    reasons.push(
      `its maxmemory-policy is "${facts.evictionPolicy}", which deletes tasks when memory is short; ` +
        'set it: redis-cli CONFIG SET maxmemory-policy noeviction',
    );
  }
  return reasons;
}

/** What a server without an append-only file means, in one sentence; nothing when it has one or does not tell. */
export function volatility(facts: ServerFacts): string | undefined {
  if (facts.appendOnly !== false) return undefined;
  return (
    'it appends nothing to a file, so a crash loses every task that came after its last snapshot; ' +
    'turn it on: redis-cli CONFIG SET appendonly yes'
  );
}

/** Why nothing can be written to a server of this kind as the options say, and what to set instead; nothing when it can. */
export function wrongKind(
  facts: ServerFacts,
  { cluster }: { cluster: boolean },
): { readonly why: string; readonly fix: string } | undefined {
  if (facts.mode === 'sentinel') {
    return {
      why: 'it is a Sentinel, which holds no tasks; set redis.sentinels',
      fix: 'set redis.sentinels to the Sentinels, in place of redis.url and redis.addr',
    };
  }
  if (facts.mode !== 'cluster' || cluster) return undefined;
  return {
    why: 'it is a node of a Cluster, which sends clients on to others; set redis.cluster',
    fix: 'set redis.cluster to some of the nodes, in place of redis.url and redis.addr',
  };
}

/** Why a server does not take tasks now; nothing when it does. */
export function misplacement(facts: ServerFacts): string | undefined {
  if (facts.role !== 'slave') return undefined;
  return 'it is a replica, which takes no writes; name the primary, or set redis.sentinels to find it by itself';
}

/** The one message of a server that must not be used; `option`: the one that lets it pass. */
export function unfitError(
  target: string,
  reasons: readonly string[],
  option: 'redis.unsafe' | 'redis.persistence' = 'redis.unsafe',
): RedisUnusableError {
  return new RedisUnusableError(`Redis at ${target} must not be used: ${reasons.join('; ')}`, {
    fix: `mend it, or set ${option} to "warn" to go on at your own risk`,
  });
}

function parseInfo(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/**
 * Replicas that could confirm something: one that is still being filled, or was not heard of for long, confirms nothing
 * in time. They are listed one by one, as `slave0`, `slave1` …; where they are not, their number has to do.
 */
function replicasOf(replication: Readonly<Record<string, string>>): number {
  const listed = Object.keys(replication).filter((name) => /^slave\d+$/.test(name));
  if (listed.length === 0) return Number(replication.connected_slaves ?? 0);
  return listed.filter((name) => {
    const said = replication[name]!;
    const silentS = Number(/\blag=(\d+)/.exec(said)?.[1] ?? 0);
    return /\bstate=online\b/.test(said) && silentS <= REPLICA_SILENT_S;
  }).length;
}

/** The server does not let itself be asked; that the question was lost on the way says nothing of the kind. */
function forbidden(error: Error): undefined {
  if (error.name !== 'ReplyError' || toBrokerError(error).retryable) throw error;
}

/** The value of a `CONFIG GET`: names and values in turn, or by name. */
function settingOf(reply: unknown): string | undefined {
  const value: unknown = Array.isArray(reply) ? reply[1] : Object.values(reply ?? {})[0];
  return typeof value === 'string' ? value : undefined;
}
