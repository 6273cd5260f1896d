import type { RedisOptions as ClientOptions } from 'ioredis';
import type { ResolvedRedisOptions } from '../policy/redis-options.js';

/** Where one server, or the Sentinels that know it, are found, and how to be let in. */
export type Endpoint = Pick<
  ClientOptions,
  | 'path'
  | 'host'
  | 'port'
  | 'username'
  | 'password'
  | 'db'
  | 'tls'
  | 'sentinels'
  | 'name'
  | 'sentinelUsername'
  | 'sentinelPassword'
  | 'sentinelTLS'
  | 'enableTLSForSentinelMode'
>;

/** The server that the options point to; of a Cluster, see {@link clusterSeeds}. */
export function endpointOf(options: ResolvedRedisOptions): Endpoint {
  const url = options.url !== undefined && !options.url.startsWith('/') ? fromUrl(options.url) : undefined;
  const tls = options.tls ?? (url?.secure ? {} : undefined);
  return {
    ...(options.sentinels
      ? bySentinels(options, tls !== undefined)
      : (url?.at ?? addressOf(options.url ?? options.addr))),
    username: options.username ?? url?.username,
    password: options.password ?? url?.password,
    db: options.db ?? url?.db ?? 0,
    ...(tls && { tls }),
  };
}

/** The nodes of a Cluster that are asked first; none when the options name no Cluster. */
export function clusterSeeds(options: ResolvedRedisOptions): readonly Endpoint[] {
  const { db: _db, ...access } = endpointOf({ ...options, addr: '127.0.0.1', url: undefined });
  return (options.cluster ?? []).map((node) => ({ ...access, ...addressOf(node) }));
}

/** What may be shown of a place: host and port, or path, or the name Sentinels know it by. Never user or password. */
export function describeEndpoint({ path, host, port, sentinels, name }: Endpoint): string {
  if (!sentinels) return path ?? addressText(host ?? '', port ?? 6379);
  return `"${name}" by Sentinels ${sentinels.map((one) => addressText(one.host ?? '', one.port ?? 26379)).join(', ')}`;
}

/** `host:port`, with an IPv6 address in brackets: what {@link addressOf} reads. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function bySentinels(options: ResolvedRedisOptions, secure: boolean): Endpoint {
  const { sentinels = [], sentinelName, sentinelUsername, sentinelPassword, tls } = options;
  return {
    sentinels: sentinels.map((sentinel) => {
      const { host, port } = addressOf(sentinel, 26379);
      return { host: host!, port: port! };
    }),
    name: sentinelName,
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(secure && { enableTLSForSentinelMode: true, sentinelTLS: tls ?? {} }),
  };
}

/** `host:port`, `[v6]:port`, `host`, or the path of a unix socket. */
export function addressOf(text: string, defaultPort = 6379): Endpoint {
  if (text.startsWith('/')) return { path: text };
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(text);
  return { host: match?.[1] ?? match?.[2] ?? text, port: Number(match?.[3] ?? defaultPort) };
}

function fromUrl(text: string) {
  const url = new URL(text);
  const db = url.pathname.slice(1);
  return {
    at: { host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(url.port || 6379) },
    username: url.username ? decodeURIComponent(url.username) : undefined,
    password: url.password ? decodeURIComponent(url.password) : undefined,
    db: /^\d+$/.test(db) ? Number(db) : undefined,
    secure: url.protocol === 'rediss:',
  };
}
