import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TaskQueue } from '@taskq/core';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { LedgerFiles } from './ledger-files.js';
import { type Program, SampleProcess } from './sample-process.js';
import { WebhookReceiver } from './webhook-receiver.js';

/** Handlers that each worker of the demo runs at once, by queue. */
const CONCURRENCY = { catalogue: 20, thumbnails: 2, webhooks: 10 };

/** Tasks that one worker of the demo runs at once. */
export const SLOTS = Object.values(CONCURRENCY).reduce((sum, slots) => sum + slots, 0);

/** Settings that make a run short: what takes minutes in production takes seconds here. */
const SETTINGS = {
  TASKQ_HTTP_HOST: '127.0.0.1',
  TASKQ_HTTP_PORT: '0',
  TASKQ_HTTP_WORKER_PORT: '0',
  TASKQ_WORKER_LEASE: '2s',
  TASKQ_WORKER_DRAIN_TIMEOUT: '250ms',
  TASKQ_WORKER_ABORT_GRACE: '2s',
  TASKQ_CATALOGUE_LATENCY: '30ms',
  TASKQ_WEBHOOKS_REQUEST_TIMEOUT: '3s',
  TASKQ_WEBHOOKS_HOSTS: '127.0.0.1',
  ...Object.fromEntries(
    Object.entries(CONCURRENCY).map(([queue, slots]) => [
      `TASKQ_QUEUES__${queue.toUpperCase()}__CONCURRENCY`,
      String(slots),
    ]),
  ),
};

/** Everything that a run of the demo needs and leaves nothing of: Redis, a receiver, files and processes. */
export class Stage {
  readonly dataFolder: string;
  readonly ledger: LedgerFiles;
  private readonly prefix: string;
  private readonly processes: SampleProcess[] = [];

  private constructor(
    private readonly folder: string,
    private readonly redis: RedisServer,
    readonly receiver: WebhookReceiver,
  ) {
    this.dataFolder = join(folder, 'data');
    this.ledger = new LedgerFiles(join(folder, 'ledger'));
    this.prefix = `demo-${randomBytes(6).toString('hex')}`;
  }

  /** Starts Redis (or takes the one that `REDIS_URL` names) and the receiver. */
  static async open(): Promise<Stage> {
    const folder = resolve('.cache', 'sample', `demo-${randomBytes(6).toString('hex')}`);
    mkdirSync(folder, { recursive: true });
    // A server of its own unless one was named: a shared one would end with whichever run ends first.
    const redis = process.env['REDIS_URL']
      ? await startRedisServer({ mode: 'dev' })
      : await startRedisServer({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
    return new Stage(folder, redis, await WebhookReceiver.start());
  }

  /** Where logs and ledger are, for whoever wants to look after a failure. */
  get home(): string {
    return this.folder;
  }

  /** Redis, fit to print. */
  get redisName(): string {
    const { source, version, addresses } = this.redis;
    return source === 'url'
      ? `Redis ${version} at ${addresses[0]} (REDIS_URL)`
      : `a private Redis ${version}`;
  }

  /** Starts the sample in a process of its own, with a log and a ledger of its own. */
  start(name: string, program: Program): SampleProcess {
    const environment = { ...withoutSettings(process.env), ...this.settingsOf(name) };
    const started = new SampleProcess(name, program, environment, join(this.folder, `${name}.log`));
    this.processes.push(started);
    return started;
  }

  /** Ends every process that still runs; they end well if told so once. */
  async stopProcesses(): Promise<void> {
    await Promise.all(this.processes.splice(0).map((process) => process.stop()));
  }

  /** Ends everything and removes what it left: always in Redis, in files only when nobody needs them any more. */
  async close({ keepFiles }: { keepFiles: boolean }): Promise<void> {
    await this.stopProcesses();
    await this.receiver.stop();
    this.ledger.close();
    try {
      await this.removeKeys();
    } finally {
      await this.redis.stop();
    }
    if (!keepFiles) rmSync(this.folder, { recursive: true, force: true });
  }

  private settingsOf(name: string): NodeJS.ProcessEnv {
    return {
      ...SETTINGS,
      REDIS_URL: this.redis.url,
      TASKQ_PREFIX: this.prefix,
      TASKQ_WORKER_NAME: name,
      TASKQ_DATA_FOLDER: this.dataFolder,
      TASKQ_LEDGER_FILE: this.ledger.fileOf(name),
    };
  }

  /** Only keys of this run: the server may be somebody else's. */
  private async removeKeys(): Promise<void> {
    const queue = await TaskQueue.open({
      redis: { url: this.redis.url, unsafe: 'warn' },
      prefix: this.prefix,
    });
    const { client } = queue.broker;
    try {
      let cursor = '0';
      do {
        const [next, keys] = await client.scan(cursor, 'MATCH', `${this.prefix}:*`, 'COUNT', 1000);
        if (keys.length > 0) await client.unlink(...keys);
        cursor = next;
      } while (cursor !== '0');
    } finally {
      await queue.close();
    }
  }
}

/** The shell's own settings would make every run another one. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(TASKQ|REDIS)_/.test(name)));
}
