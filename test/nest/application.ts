import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  type INestApplicationContext,
  Logger,
  type LoggerService,
  Module,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type CallOptions,
  type NamedTarget,
  TaskEvents,
  type TaskEventMap,
  type TaskEventName,
  TaskProducer,
  TaskQueueModule,
  type TaskQueueModuleOptions,
} from '@taskq/nestjs';
import type { RedisServer } from '@taskq/testing';

/** Options for a test: its own keys on the file's server, and nothing that waits longer than it must. */
export function optionsFor(server: RedisServer, more: TaskQueueModuleOptions = {}): TaskQueueModuleOptions {
  return {
    prefix: `t-${randomBytes(6).toString('hex')}`,
    tasks: { backoff: { base: 1, max: 5 } },
    ...more,
    // A private server persists nothing, and sources that run as they are have no thread: neither is news here.
    redis: { url: server.url, connectTimeout: '2s', persistence: 'ignore', ...more.redis },
    worker: { heartbeatThread: false, ...more.worker },
  };
}

const nestManifest = join(dirname(createRequire(import.meta.url).resolve('@nestjs/core')), 'package.json');
const { version } = JSON.parse(readFileSync(nestManifest, 'utf8')) as { version: string };
const [major, minor, patch] = version.split('.').map(Number) as [number, number, number];

/** Whether this Nest makes the enhancers of classes given as `useClass`: since 11.2.10 and 12.2.0. */
export const knowsUseClass =
  major > 12 || (major === 12 && minor >= 2) || (major === 11 && minor === 2 && patch >= 10);

/** A line that was logged. */
export interface LogLine {
  readonly level: 'log' | 'error' | 'warn' | 'debug';
  readonly context: string;
  readonly message: string;
}

/** Keeps what is logged, without printing it. */
export class LogBook implements LoggerService {
  readonly lines: LogLine[] = [];

  log(message: unknown, ...rest: unknown[]): void {
    this.keep('log', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.keep('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.keep('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.keep('debug', message, rest);
  }

  /** Lines of taskq that contain `text`. */
  said(text: string, level?: LogLine['level']): readonly string[] {
    return this.lines
      .filter((line) => line.context.startsWith('TaskQueue') && (level ?? line.level) === line.level)
      .map(({ message }) => message)
      .filter((message) => message.includes(text));
  }

  private keep(level: LogLine['level'], message: unknown, rest: unknown[]): void {
    const context = rest.at(-1);
    const text = message instanceof Error ? message.message : String(message);
    this.lines.push({ level, message: text, context: typeof context === 'string' ? context : '' });
  }
}

/** Applications of the test that runs, closed by {@link closeApplications}. */
const running = new Set<INestApplicationContext>();

/** What may wrap every provider that Nest makes. */
type Instrument = NonNullable<Parameters<typeof NestFactory.createApplicationContext>[1]>['instrument'];

/** A started application without HTTP, and what it logged. */
export interface Started {
  readonly app: INestApplicationContext;
  readonly log: LogBook;
}

/** Starts an application whose root module is this metadata. Rejects with what ended the start. */
export async function start(
  root: ModuleMetadata,
  log = new LogBook(),
  instrument?: Instrument,
): Promise<Started> {
  @Module({})
  class AppModule {}
  const app = await NestFactory.createApplicationContext(
    { module: AppModule, ...root },
    { logger: log, abortOnError: false, ...(instrument && { instrument }) },
  );
  running.add(app);
  return { app, log };
}

/** Starts an application with the default connection and these providers. */
export function startWith(
  options: TaskQueueModuleOptions,
  providers: ModuleMetadata['providers'],
  more: ModuleMetadata = {},
): Promise<Started> {
  const imports = [TaskQueueModule.forRoot(options), ...(more.imports ?? [])];
  return start({ ...more, imports, providers: providers ?? [] });
}

/** Closes what tests started; to be called after each. */
export async function closeApplications(): Promise<void> {
  const apps = [...running];
  running.clear();
  await Promise.all(apps.map((app) => app.close()));
  Logger.overrideLogger(false);
}

/** Closes one application now. */
export async function close(app: INestApplicationContext): Promise<void> {
  running.delete(app);
  await app.close();
}

/** Resolves with the next event of a name (that fits), or rejects when it does not come. */
export function nextEvent<Name extends TaskEventName>(
  events: TaskEvents,
  name: Name,
  fits: (event: TaskEventMap[Name]) => boolean = () => true,
): Promise<TaskEventMap[Name]> {
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`waited 5 s for "${name}", in vain`)), 5000);
    const forget = events.on(name, (event) => {
      if (!fits(event)) return;
      clearTimeout(timeout);
      forget();
      resolve(event);
    });
  });
}

/** How an attempt ended, as the events tell it. */
export type Ending = { [Name in EndingName]: { readonly how: Name } & TaskEventMap[Name] }[EndingName];
type EndingName = (typeof ENDINGS)[number];
const ENDINGS = ['task.completed', 'task.retrying', 'task.snoozed', 'task.discarded', 'task.dead'] as const;

/** Enqueues a task by name and resolves with the end of its first attempt. */
export async function attempt(
  app: INestApplicationContext,
  type: string,
  payload: unknown = {},
  options: CallOptions & NamedTarget = {},
): Promise<Ending> {
  const id = `test-${randomBytes(9).toString('hex')}`;
  const events = app.get(TaskEvents);
  const forget: (() => void)[] = [];
  let timeout: NodeJS.Timeout | undefined;
  const ended = new Promise<Ending>((resolve, reject) => {
    timeout = setTimeout(() => reject(new Error(`waited 5 s for the end of "${type}", in vain`)), 5000);
    for (const how of ENDINGS) {
      forget.push(events.on(how, (event) => event.id === id && resolve({ how, ...event } as Ending)));
    }
  });
  try {
    await app.get(TaskProducer).enqueue(type, payload as never, { id, ...options });
    return await ended;
  } finally {
    clearTimeout(timeout);
    for (const off of forget) off();
  }
}
