import {
  ConfigurationError,
  type EngineOptions,
  group,
  oneOf,
  type OptionField,
  resolveEngineOptions,
} from '@taskq/core';
import { type EnvironmentSettings, readEnvironment } from './environment.js';
import { duration, integer, text, texts } from './option-fields.js';
import type { Role } from './role.js';
import { readSettingsFile } from './settings-file.js';
import { isTree, mergeSettings, type SettingsTree } from './settings-tree.js';

/** Everything the sample can be told, checked, with its defaults. */
export interface SampleConfig extends OwnConfig {
  /** Options of taskq as written: it fills in its defaults itself. */
  readonly engine: EngineOptions;
  readonly sources: ConfigSources;
}

/** What the sample itself can be told. */
interface OwnConfig {
  readonly role: Role;
  /** Where the catalogue, images and thumbnails are kept. */
  readonly dataFolder: string;
  /** Where facts about tasks are written, one JSON line each; nowhere without it. */
  readonly ledgerFile: string | undefined;
  readonly http: HttpConfig;
  readonly catalogue: CatalogueConfig;
  readonly webhooks: WebhookConfig;
}

export interface HttpConfig {
  readonly host: string;
  /** Of a process that serves the API. 0: any free one. */
  readonly port: number;
  /** Of a process that only works, for its health. 0: any free one. */
  readonly workerPort: number;
}

export interface CatalogueConfig {
  /** How long the pretended database takes for one record. */
  readonly latencyMs: number;
}

export interface WebhookConfig {
  /** Hosts that webhooks may be sent to: an open relay into one's own network is a hole. */
  readonly hosts: readonly string[];
  /** Longest wait for the receiver's answer. */
  readonly requestTimeoutMs: number;
}

/** Where the settings came from. */
export interface ConfigSources {
  readonly file: string | undefined;
  /** Names of the variables that were used; never their values. */
  readonly variables: readonly string[];
  /** Whether anybody said where Redis is. */
  readonly namesRedis: boolean;
}

/** Options of taskq that say where Redis is, and those that belong to them. */
const PLACES = ['url', 'addr', 'sentinels', 'cluster'] as const;
const OF_SENTINELS = ['sentinelName', 'sentinelUsername', 'sentinelPassword'] as const;
const LOGIN = ['username', 'password', 'db'] as const;

const PORTS = { min: 0, max: 65_535 };

/** taskq checks its own options; here they only have to be known, so that a misspelt group is noticed. */
const ofEngine: OptionField<unknown> = (value) => value;

const catalogueField: OptionField<CatalogueConfig> = (value, path, problems) => {
  const read = group<{ latency: number }>({ latency: duration({ min: 0, max: 10_000 }, 0) });
  return { latencyMs: read(value, path, problems).latency };
};

const webhooksField: OptionField<WebhookConfig> = (value, path, problems) => {
  const read = group<{ hosts: readonly string[]; requestTimeout: number }>({
    hosts: texts(['127.0.0.1', 'localhost']),
    requestTimeout: duration({ min: 100, max: 30_000 }, 5000),
  });
  const { hosts, requestTimeout } = read(value, path, problems);
  return { hosts, requestTimeoutMs: requestTimeout };
};

const FIELDS = {
  role: oneOf(['producer', 'worker', 'both'], 'both'),
  dataFolder: text('.cache/sample'),
  ledgerFile: text(undefined),
  http: group<HttpConfig>({
    host: text('127.0.0.1'),
    port: integer(PORTS, 3000),
    workerPort: integer(PORTS, 0),
  }),
  catalogue: catalogueField,
  webhooks: webhooksField,
  redis: ofEngine,
  prefix: ofEngine,
  tasks: ofEngine,
  queueDefaults: ofEngine,
  queues: ofEngine,
  worker: ofEngine,
  producer: ofEngine,
  limits: ofEngine,
};

/**
 * Reads the file of settings, puts the environment over it and checks the outcome.
 * @throws ConfigurationError with a line for every setting that is wrong or unknown, and the variable that set it
 */
export function loadSampleConfig(environment: NodeJS.ProcessEnv = process.env): SampleConfig {
  const problems: string[] = [];
  const { file, settings } = readSettingsFile(environment['TASKQ_CONFIG'], problems);
  const set = readEnvironment(environment);
  const merged = mergeSettings(withoutPlace(settings, set), set.settings);
  const { role, dataFolder, ledgerFile, http, catalogue, webhooks, ...rest } = group<
    OwnConfig & Record<keyof EngineOptions, unknown>
  >(FIELDS)(merged, '', problems);
  const engine = rest as EngineOptions;
  problems.push(...engineProblems(engine));
  if (problems.length > 0) throw refusal(problems, set.variables);
  const namesRedis = PLACES.some((place) => engine.redis?.[place] !== undefined);
  const sources = { file, variables: [...set.variables.values()], namesRedis };
  return { role, dataFolder, ledgerFile, http, catalogue, webhooks, engine, sources };
}

/**
 * A place of Redis in the environment replaces the file's as a whole: what else stands there belongs to another server.
 * A URL brings its own login and database; anything else may be the same one that has moved.
 */
function withoutPlace(settings: SettingsTree, { variables }: EnvironmentSettings): SettingsTree {
  const { redis } = settings;
  const named = PLACES.filter((place) => variables.has(`redis.${place}`));
  if (!isTree(redis) || named.length === 0) return settings;
  const gone = new Set<string>(PLACES);
  if (!named.includes('sentinels')) for (const name of OF_SENTINELS) gone.add(name);
  if (named.includes('url')) for (const name of LOGIN) gone.add(name);
  const kept = Object.entries(redis).filter(([name]) => !gone.has(name));
  return { ...settings, redis: Object.fromEntries(kept) };
}

/** taskq is asked at once, so that its problems are told together with ours. */
function engineProblems(engine: EngineOptions): readonly string[] {
  try {
    resolveEngineOptions(engine);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

function refusal(problems: readonly string[], variables: ReadonlyMap<string, string>): ConfigurationError {
  const lines = problems.map((problem) => {
    const path = /^(?:unknown option ")?([\w.]+)/.exec(problem)?.[1] ?? '';
    const variable = [...variables].find(([set]) => set === path || set.startsWith(`${path}.`))?.[1];
    return `${masked(problem)}${variable ? ` (set by ${variable})` : ''}`;
  });
  return new ConfigurationError('configuration', lines);
}

/** A URL that was written where none belongs may hold a password. */
function masked(problem: string): string {
  return problem.replace(/(rediss?:\/\/)[^\s"]*/g, '$1…');
}
