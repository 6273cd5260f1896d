import { mergeSettings, type SettingsTree } from './settings-tree.js';

/** What the environment sets: the settings, and which variable set which. */
export interface EnvironmentSettings {
  readonly settings: SettingsTree;
  /** Name of the variable by path of the setting. Names only: a value may be a secret. */
  readonly variables: ReadonlyMap<string, string>;
}

/** The variables that every Redis tool knows. Others that begin with `REDIS_` are not ours: Kubernetes makes some. */
const REDIS_VARIABLES: Readonly<Record<string, string>> = {
  REDIS_URL: 'redis.url',
  REDIS_ADDR: 'redis.addr',
  REDIS_USERNAME: 'redis.username',
  REDIS_PASSWORD: 'redis.password',
  REDIS_DB: 'redis.db',
};

/** Groups of settings, longest first: what may stand before a single `_`. */
const GROUPS = 'QUEUE_DEFAULTS CATALOGUE WEBHOOKS PRODUCER LIMITS WORKER QUEUES REDIS TASKS HTTP'.split(' ');

/** Settings whose value stays text, whatever it looks like: a password may well be `12345`. */
const TEXTS = new Set([
  ...['redis.url', 'redis.addr', 'redis.username', 'redis.password'],
  ...['redis.sentinelName', 'redis.sentinelUsername', 'redis.sentinelPassword'],
  ...['prefix', 'worker.name', 'http.host', 'dataFolder', 'ledgerFile'],
]);

/** Settings that are lists: their entries are separated by commas. */
const LISTS = new Set(['webhooks.hosts', 'redis.sentinels', 'redis.cluster']);

/**
 * Not settings: where the file of settings is, and what Kubernetes adds to every pod when a service is called `taskq`.
 */
const NOT_SETTINGS = /^TASKQ_(CONFIG$|SERVICE_|PORT(_|$))/;

/**
 * Reads settings from variables of the environment.
 *
 * `TASKQ_<GROUP>_<NAME>` sets `group.name`, written in capitals with `_` between words: `TASKQ_WORKER_DRAIN_TIMEOUT`
 * is `worker.drainTimeout`, `TASKQ_PREFIX` is `prefix`. Deeper settings separate their levels by two underscores:
 * `TASKQ_QUEUES__CATALOGUE__CONCURRENCY` is `queues.catalogue.concurrency`. Values that look like numbers or
 * booleans are read as such, lists are separated by commas, and an empty variable is no variable.
 * `REDIS_URL`, `REDIS_ADDR`, `REDIS_USERNAME`, `REDIS_PASSWORD` and `REDIS_DB` set `redis.*`.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): EnvironmentSettings {
  const variables = new Map<string, string>();
  let settings: SettingsTree = {};
  for (const [name, text] of Object.entries(environment)) {
    const path = text ? pathOf(name) : undefined;
    if (!text || path === undefined) continue;
    variables.set(path, name);
    settings = mergeSettings(settings, treeOf(path.split('.'), valueOf(path, text)));
  }
  return { settings, variables };
}

function pathOf(name: string): string | undefined {
  if (!name.startsWith('TASKQ_')) return REDIS_VARIABLES[name];
  if (NOT_SETTINGS.test(name)) return undefined;
  const levels = name.slice('TASKQ_'.length).split('__');
  const group = levels.length === 1 ? GROUPS.find((known) => levels[0]?.startsWith(`${known}_`)) : undefined;
  if (group !== undefined) levels.splice(0, 1, group, levels[0]!.slice(group.length + 1));
  return levels.map(camelCase).join('.');
}

function camelCase(words: string): string {
  return words.toLowerCase().replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function valueOf(path: string, text: string): unknown {
  if (TEXTS.has(path)) return text;
  if (LISTS.has(path)) return text.split(',').map((entry) => entry.trim());
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function treeOf([key, ...rest]: readonly string[], value: unknown): SettingsTree {
  return { [key ?? '']: rest.length === 0 ? value : treeOf(rest, value) };
}
