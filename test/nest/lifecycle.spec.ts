import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import {
  getTaskProducerToken,
  getTaskWorkerHostToken,
  type TaskContext,
  TaskEvents,
  TaskHandler,
  TaskProducer,
  TaskQueueModule,
  TaskWorkerHost,
} from '@taskq/nestjs';
import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  attempt,
  close,
  closeApplications,
  LogBook,
  nextEvent,
  optionsFor,
  start,
  startWith,
} from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

/** What happened, in order. */
let story: string[];
beforeEach(() => {
  story = [];
});

/** Something that handlers use and that is gone once it is destroyed. */
@Injectable()
class Database implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  open = false;
  onModuleInit(): void {
    this.open = true;
  }
  onApplicationBootstrap(): void {
    story.push('database ready');
  }
  onModuleDestroy(): void {
    story.push('database closed');
    this.open = false;
  }
}

/** A handler that is still running when the application closes. */
@Injectable()
class Mailer implements OnApplicationBootstrap, OnModuleDestroy {
  @Inject(Database)
  private readonly database: Database;
  @Inject(TaskProducer)
  private readonly producer: TaskProducer;
  private end: () => void;
  readonly mayEnd = new Promise<void>((resolve) => (this.end = resolve));

  onApplicationBootstrap(): void {
    story.push('mailer ready');
  }
  @TaskHandler('mail')
  async send(_payload: unknown, context: TaskContext): Promise<void> {
    story.push('started');
    await this.mayEnd;
    await this.producer.enqueue('follow-up', { of: context.id }, { queue: 'later' });
    story.push(this.database.open ? 'used the database' : 'found it closed');
  }
  onModuleDestroy(): void {
    story.push('mailer destroyed');
  }
  finish(): void {
    this.end();
  }
}

@Module({})
class DatabaseModule {}
@Module({})
class MailModule {}
@Module({})
class MiddleModule {}
@Module({})
class OuterModule {}

const databaseModule = (more: Partial<DynamicModule> = {}): DynamicModule => ({
  module: DatabaseModule,
  providers: [Database],
  exports: [Database],
  ...more,
});

/** Six ways to lay out an application; `queue` is the module under test. */
const layouts: Record<string, (queue: DynamicModule) => ModuleMetadata> = {
  'the database imported first': (queue) => {
    const database = databaseModule();
    return { imports: [database, queue, { module: MailModule, imports: [database], providers: [Mailer] }] };
  },
  'the database imported last': (queue) => {
    const database = databaseModule();
    return { imports: [queue, { module: MailModule, imports: [database], providers: [Mailer] }, database] };
  },
  'the database deep below': (queue) => {
    const mail = { module: MailModule, imports: [databaseModule()], providers: [Mailer] };
    return {
      imports: [queue, { module: OuterModule, imports: [{ module: MiddleModule, imports: [mail] }] }],
    };
  },
  'the database global': (queue) => ({
    imports: [databaseModule({ global: true }), queue, { module: MailModule, providers: [Mailer] }],
  }),
  'database and handlers in the root': (queue) => ({ imports: [queue], providers: [Database, Mailer] }),
  'the queue imported by a feature': (queue) => {
    const database = databaseModule();
    const mail = { module: MailModule, imports: [database, queue], providers: [Mailer] };
    return { imports: [{ module: OuterModule, imports: [mail] }, database] };
  },
};

describe('the worker starts last and drains first', () => {
  it.each(Object.keys(layouts))('with %s', async (name) => {
    const { app } = await start(layouts[name]!(TaskQueueModule.forRoot(optionsFor(server))));
    const mailer = app.get(Mailer, { strict: false });
    const host = app.get(TaskWorkerHost, { strict: false });
    expect(story.toSorted()).toEqual(['database ready', 'mailer ready']);
    expect(host.status()?.state).toBe('running');

    const started = nextEvent(app.get(TaskEvents), 'task.started');
    await app.get(TaskProducer).enqueue('mail', {});
    await started;
    await waitFor(() => story.includes('started'), { what: 'the handler to run' });
    story = [];

    const closing = close(app);
    await waitFor(() => host.status()?.state === 'quiet', { what: 'the drain to begin' });
    expect(story).toEqual([]);
    mailer.finish();
    await closing;
    expect(story[0]).toBe('used the database');
    expect(story.slice(1).toSorted()).toEqual(['database closed', 'mailer destroyed']);
    expect(host.status()?.state).toBe('stopped');
  });
});

describe('starting', () => {
  it('waits for everything else, and says what was reached and what is worked on', async () => {
    @Injectable()
    class Slow implements OnApplicationBootstrap {
      @Inject(TaskProducer)
      private readonly producer: TaskProducer;
      async onApplicationBootstrap(): Promise<void> {
        await this.producer.enqueue('mail', 'enqueued while starting');
        await new Promise((resolve) => setImmediate(resolve));
        story.push('slow is ready');
      }
      @TaskHandler('mail')
      send(payload: string): void {
        story.push(payload);
      }
      @TaskHandler('post', { queue: 'post' })
      post(): void {}
    }
    const options = optionsFor(server, { queues: { post: { concurrency: 3 } } });
    const { log } = await startWith(options, [Slow]);
    await waitFor(() => story.length === 2, { what: 'the task' });
    expect(story).toEqual(['slow is ready', 'enqueued while starting']);
    expect(log.said('connected to')).toEqual([
      expect.stringMatching(
        new RegExp(`^connected to (redis|valkey) [0-9.]+ \\(\\w+\\) at \\S+, prefix "${options.prefix}"$`),
      ),
    ]);
    expect(log.said('started on')).toEqual([
      expect.stringMatching(/^worker \S+ started on default \(10 at once: mail\); post \(3 at once: post\)$/),
    ]);
  });
});

describe('stopping', () => {
  @Injectable()
  class Stubborn {
    readonly contexts: TaskContext[] = [];
    end: () => void;
    @TaskHandler('stubborn')
    async run(_payload: unknown, context: TaskContext): Promise<void> {
      this.contexts.push(context);
      await new Promise<void>((resolve) => (this.end = resolve));
    }
  }

  async function startStubborn(drainTimeout: '1ms' | '1h') {
    const options = optionsFor(server, { worker: { drainTimeout, abortGrace: '1ms' } });
    const started = await startWith(options, [Stubborn]);
    await started.app.get(TaskProducer).enqueue('stubborn', {});
    const stubborn = started.app.get(Stubborn);
    await waitFor(() => stubborn.contexts.length > 0, { what: 'the handler to run' });
    return { ...started, stubborn, context: stubborn.contexts[0]! };
  }

  it('hands back what does not end in time, and says so', async () => {
    const { app, log, stubborn, context } = await startStubborn('1ms');
    const listening = (): void => undefined;
    process.on('SIGTERM', listening);
    const listeners = process.listeners('SIGTERM');
    await close(app);
    expect(process.listeners('SIGTERM')).toEqual(listeners);
    process.off('SIGTERM', listening);
    expect(context.signal.reason).toMatchObject({ code: 'TASKQ_WORKER_SHUTDOWN' });
    expect(log.said('draining: 1 running, given up to 1 ms', 'log')).toHaveLength(1);
    expect(log.said('worker stopped: 0 drained, 1 released, 1 stuck', 'warn')).toHaveLength(1);
    stubborn.end();
  });

  it('is hurried by a second signal', async () => {
    const { app, stubborn, context } = await startStubborn('1h');
    // In place of enableShutdownHooks(), which would end this process when it is done.
    const listening = (): void => undefined;
    process.on('SIGTERM', listening);
    const before = process.listenerCount('SIGTERM');
    const host = app.get(TaskWorkerHost);
    const closing = close(app);
    await waitFor(() => host.status()?.state === 'quiet', { what: 'the drain to begin' });
    expect(context.signal.aborted).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    await closing;
    expect(host.status()?.state).toBe('stopped');
    expect(context.signal.aborted).toBe(true);
    expect(process.listenerCount('SIGTERM')).toBe(before);
    stubborn.end();
    process.off('SIGTERM', listening);
  });

  it('ends the process at a third signal', async () => {
    const { app, stubborn } = await startStubborn('1h');
    const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
    const listening = (): void => undefined;
    process.on('SIGTERM', listening);
    const host = app.get(TaskWorkerHost);
    const closing = close(app);
    await waitFor(() => host.status()?.state === 'quiet', { what: 'the drain to begin' });
    process.emit('SIGTERM', 'SIGTERM');
    expect(exit).not.toHaveBeenCalled();
    process.emit('SIGTERM', 'SIGTERM');
    expect(exit).toHaveBeenCalledExactlyOnceWith(143);
    exit.mockRestore();
    stubborn.end();
    await closing;
    process.off('SIGTERM', listening);
  });

  it('drains all connections at the same time', async () => {
    @Injectable()
    class Handlers {
      end: () => void;
      readonly mayEnd = new Promise<void>((resolve) => (this.end = resolve));
      @TaskHandler('first')
      @TaskHandler('second', { connection: 'second' })
      async run(_payload: unknown, context: TaskContext): Promise<void> {
        story.push(context.type);
        await this.mayEnd;
      }
    }
    const second = TaskQueueModule.forRoot({ ...optionsFor(server), name: 'second' });
    const { app } = await startWith(optionsFor(server), [Handlers], { imports: [second] });
    await app.get(TaskProducer).enqueue('first');
    await app.get<TaskProducer>(getTaskProducerToken('second')).enqueue('second');
    await waitFor(() => story.length === 2, { what: 'both handlers to run' });
    const hosts = [app.get(TaskWorkerHost), app.get<TaskWorkerHost>(getTaskWorkerHostToken('second'))];
    const closing = close(app);
    await waitFor(() => hosts.every((host) => host.status()?.state === 'quiet'), { what: 'both to drain' });
    app.get(Handlers).end();
    await closing;
    expect(hosts.map((host) => host.status()?.state)).toEqual(['stopped', 'stopped']);
  });

  it('closes the connection last, with nothing left open', async () => {
    const redis = new Redis(server.url);
    @Injectable()
    class Late implements OnApplicationShutdown {
      @Inject(TaskProducer)
      private readonly producer: TaskProducer;
      @TaskHandler('noop')
      noop(): void {}
      async onApplicationShutdown(): Promise<void> {
        story.push((await this.producer.enqueue('late', {}, { queue: 'later' })).status);
      }
    }
    const { app } = await startWith(optionsFor(server), [Late]);
    await attempt(app, 'noop');
    const producer = app.get(TaskProducer);
    await close(app);
    expect(story).toEqual(['accepted']);
    await expect(producer.enqueue('too-late')).rejects.toMatchObject({ code: 'TASKQ_LIFECYCLE' });
    const clients = async () => String(await redis.client('LIST'));
    await waitFor(async () => !(await clients()).includes('name=taskq'), { what: 'every link to be closed' });
    redis.disconnect();
  });

  it('may be asked for twice', async () => {
    const { app } = await startWith(optionsFor(server), [Stubborn]);
    await expect(Promise.all([app.close(), app.close()])).resolves.toBeDefined();
    await expect(close(app)).resolves.toBeUndefined();
  });
});

describe('without shutdown hooks', () => {
  @Injectable()
  class Handlers {
    @TaskHandler('noop')
    noop(): void {}
  }
  let others: NodeJS.SignalsListener[];
  beforeEach(() => {
    others = process.listeners('SIGTERM');
    process.removeAllListeners('SIGTERM');
  });
  afterEach(() => {
    for (const listener of others) process.on('SIGTERM', listener);
  });

  it('a warning is given soon after the start', async () => {
    const hooked = new LogBook();
    const first = await startWith(optionsFor(server), [Handlers], {});
    const { log } = first;
    await waitFor(() => log.said('call app.enableShutdownHooks()', 'warn').length === 1, {
      what: 'the warning',
    });
    await close(first.app);

    const second = await startWith(optionsFor(server), [Handlers], {});
    second.app.enableShutdownHooks();
    const bare = await startWith(optionsFor(server, { role: 'producer' }), []);
    expect(bare.log).not.toBe(hooked);
    await close(bare.app);
    await close(second.app);
    expect(second.log.said('enableShutdownHooks')).toEqual([]);
  });
});
