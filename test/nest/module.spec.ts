import { Injectable, Module, type OnModuleInit, type Type } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import {
  defineTask,
  getTaskProducerToken,
  getTaskQueueRedisToken,
  getTaskWorkerHostToken,
  InjectTaskEvents,
  InjectTaskProducer,
  InjectTaskQueue,
  InjectTaskQueueInspector,
  InjectTaskQueueRedis,
  InjectTaskWorkerHost,
  Inspector,
  type Payload,
  QueueFullError,
  TaskContext,
  TaskEvents,
  TaskHandler,
  TaskProducer,
  TaskQueue,
  TaskQueueModule,
  type TaskQueueModuleOptions,
  type TaskQueueOptionsFactory,
  TaskWorkerHost,
} from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attempt, close, closeApplications, nextEvent, optionsFor, start, startWith } from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

class Calls {
  readonly all: unknown[] = [];
}

@Injectable()
class Mailer {
  constructor(private readonly calls: Calls) {}
  @TaskHandler('mail')
  send(payload: unknown) {
    this.calls.all.push(payload);
  }
}

describe('what can be injected', () => {
  it('for the default connection by type, anywhere', async () => {
    @Injectable()
    class Service {
      constructor(
        readonly producer: TaskProducer,
        readonly inspector: Inspector,
        readonly events: TaskEvents,
        readonly queue: TaskQueue,
        @InjectTaskQueueRedis() readonly redis: Redis,
      ) {}
    }
    @Module({ providers: [Service], exports: [Service] })
    class Deep {}
    @Module({ imports: [Deep] })
    class Feature {}
    const { app } = await startWith(optionsFor(server), [], { imports: [Feature] });
    const { producer, inspector, events, queue, redis } = app.get(Service);
    expect([queue.producer, queue.inspector, queue.events]).toEqual([producer, inspector, events]);
    await redis.set('ours', 'value');
    expect(await redis.get('ours')).toBe('value');
    await producer.enqueue('nobody', {}, { queue: 'nobody' });
    expect(await inspector.counts('nobody')).toMatchObject({ ready: { normal: 1 }, active: 0 });
  });

  it('for named connections by name; handlers belong to one', async () => {
    @Injectable()
    class Service {
      constructor(
        readonly producer: TaskProducer,
        @InjectTaskProducer('second') readonly second: TaskProducer,
        @InjectTaskQueueInspector('second') readonly inspector: Inspector,
        @InjectTaskEvents('second') readonly events: TaskEvents,
        @InjectTaskQueue('second') readonly queue: TaskQueue,
        @InjectTaskQueueRedis('second') readonly redis: Redis,
      ) {}
    }
    @Injectable()
    class Handlers {
      readonly ran: string[] = [];
      @TaskHandler('mail')
      first() {
        this.ran.push('first');
      }
      @TaskHandler('mail', { connection: 'second' })
      second() {
        this.ran.push('second');
      }
    }
    @Injectable()
    class Hosts {
      constructor(
        readonly first: TaskWorkerHost,
        @InjectTaskWorkerHost('second') readonly second: TaskWorkerHost,
      ) {}
    }
    const { app, log } = await start({
      imports: [
        TaskQueueModule.forRoot(optionsFor(server)),
        TaskQueueModule.forRootAsync({ name: 'second', useFactory: () => optionsFor(server) }),
      ],
      providers: [Service, Handlers, Hosts],
    });
    const { producer, second, inspector, events, queue, redis } = app.get(Service);
    expect([queue.producer, queue.inspector, queue.events]).toEqual([second, inspector, events]);
    expect(redis).toBe(queue.broker.client);
    expect(app.get(getTaskQueueRedisToken())).not.toBe(redis);
    expect(app.get(Hosts).first).not.toBe(app.get(Hosts).second);
    expect(app.get(getTaskWorkerHostToken('second'))).toBe(app.get(Hosts).second);
    const [one, two] = [
      nextEvent(app.get(TaskEvents), 'task.completed'),
      nextEvent(events, 'task.completed'),
    ];
    await second.enqueue('mail');
    await two;
    await producer.enqueue('mail');
    await one;
    expect(app.get(Handlers).ran).toEqual(['second', 'first']);
    expect(log.lines.filter(({ context }) => context === 'TaskQueue:second')).toHaveLength(2);
  });
});

describe('forRootAsync', () => {
  let options: TaskQueueModuleOptions;
  beforeAll(() => {
    options = optionsFor(server, { role: 'producer' });
  });

  @Injectable()
  class Factory implements TaskQueueOptionsFactory {
    async createTaskQueueOptions(): Promise<TaskQueueModuleOptions> {
      return Promise.resolve(options);
    }
  }
  @Module({ providers: [Factory], exports: [Factory] })
  class FactoryModule {}

  it.each([
    [
      'useFactory with imports and inject',
      () => ({
        imports: [FactoryModule],
        inject: [Factory],
        useFactory: (factory: Factory) => factory.createTaskQueueOptions(),
      }),
    ],
    ['useClass', () => ({ useClass: Factory })],
    ['useExisting', () => ({ imports: [FactoryModule], useExisting: Factory })],
    [
      'the configuration service',
      () => ({
        imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ queue: options })] })],
        inject: [ConfigService],
        useFactory: (config: ConfigService) => config.getOrThrow<TaskQueueModuleOptions>('queue'),
      }),
    ],
  ])('takes options from %s', async (_, given) => {
    const { app } = await start({ imports: [TaskQueueModule.forRootAsync(given())] });
    expect(app.get(TaskQueue).options.prefix).toBe(options.prefix);
    await expect(app.get(TaskWorkerHost).start()).rejects.toThrow(/'producer'/);
  });
});

describe('forFeature', () => {
  const build = defineTask({
    type: 'report.build',
    queue: 'reports',
    payload: z.object({ month: z.coerce.number() }),
    maxAttempts: 1,
  });

  it('brings queues, and contracts that handlers find by name', async () => {
    @Injectable()
    class Reports implements OnModuleInit {
      readonly built: unknown[] = [];
      problem: unknown;
      constructor(private readonly producer: TaskProducer) {}
      async onModuleInit() {
        await this.producer.enqueue('x', {}, { queue: 'small' });
        this.problem = await this.producer
          .enqueue('x', {}, { queue: 'small' })
          .catch((error: unknown) => error);
      }
      @TaskHandler('report.build')
      build(payload: Payload<typeof build>, context: TaskContext) {
        this.built.push([payload, context.queue, context.maxAttempts]);
      }
    }
    @Module({
      imports: [
        TaskQueueModule.forFeature({
          queues: { reports: { concurrency: 2 }, small: { maxReady: 1 } },
          contracts: [build],
        }),
      ],
      providers: [Reports],
    })
    class ReportsModule {}
    const { app } = await startWith(optionsFor(server), [], { imports: [ReportsModule] });
    const reports = app.get(Reports);
    expect(reports.problem).toBeInstanceOf(QueueFullError);
    const done = nextEvent(app.get(TaskEvents), 'task.completed');
    await app.get(TaskProducer).enqueue(build, { month: '11' });
    await done;
    expect(reports.built).toEqual([[{ month: 11 }, 'reports', 1]]);
    expect(app.get(TaskWorkerHost).status()?.queues).toMatchObject([{ queue: 'reports', slots: 2 }]);
  });

  it('lets a handler override its contract', async () => {
    @Injectable()
    class Reports {
      @TaskHandler(build, { maxAttempts: 7, queue: undefined as unknown as string })
      build(_payload: Payload<typeof build>, context: TaskContext) {
        throw new Error(`${context.queue}, ${context.maxAttempts}`);
      }
    }
    const { app } = await startWith(optionsFor(server), [Reports]);
    const ending = await attempt(app, 'report.build', { month: 1 }, { queue: 'reports' });
    expect(ending).toMatchObject({ how: 'task.retrying', error: { message: 'reports, 7' } });
  });

  it('may be imported twice, and by two features with the same contract', async () => {
    const feature = TaskQueueModule.forFeature({ queues: { once: {} }, contracts: [build] });
    @Module({ imports: [feature] })
    class One {}
    @Module({ imports: [feature, TaskQueueModule.forFeature({ contracts: [build] })] })
    class Two {}
    await expect(startWith(optionsFor(server), [], { imports: [One, Two] })).resolves.toBeDefined();
  });
});

describe('roles', () => {
  it("'producer' enqueues and works on nothing, whatever handlers there are", async () => {
    const { app, log } = await startWith(optionsFor(server, { role: 'producer' }), [Mailer, Calls]);
    await app.get(TaskProducer).enqueue('mail', 1);
    const host = app.get(TaskWorkerHost);
    expect([host.status(), host.queues, host.shouldWork]).toEqual([undefined, ['default'], false]);
    await expect(host.start()).rejects.toMatchObject({ code: 'TASKQ_LIFECYCLE' });
    await close(app);
    expect(log.said('worker')).toEqual([]);
  });

  it("'worker' warns when it has nothing to do", async () => {
    const worker = await startWith(optionsFor(server, { role: 'worker' }), []);
    expect(worker.log.said('no @TaskHandler was found', 'warn')).toHaveLength(1);
    const both = await startWith(optionsFor(server), []);
    expect(both.log.said('no @TaskHandler was found')).toEqual([]);
  });

  it('two processes share the work of one queue: here two applications in one', async () => {
    const options = optionsFor(server);
    const api = await startWith({ ...options, role: 'producer' }, []);
    const worker = await startWith({ ...options, role: 'worker' }, [Mailer, Calls]);
    const done = nextEvent(worker.app.get(TaskEvents), 'task.completed');
    await api.app.get(TaskProducer).enqueue('mail', 'from the api');
    await done;
    expect(worker.app.get(Calls).all).toEqual(['from the api']);
  });

  it('two applications in one process know nothing of each other', async () => {
    const one = await startWith(optionsFor(server), [Mailer, Calls]);
    const two = await startWith(optionsFor(server), [Mailer, Calls]);
    await close(one.app);
    expect(await attempt(two.app, 'mail', 2)).toMatchObject({ how: 'task.completed' });
    expect([one.app.get(Calls).all, two.app.get(Calls).all]).toEqual([[], [2]]);
  });
});

describe('autoStart: false', () => {
  it('leaves the start to the application', async () => {
    const { app } = await startWith(optionsFor(server, { autoStart: false }), [Mailer, Calls]);
    const host = app.get(TaskWorkerHost);
    await app.get(TaskProducer).enqueue('mail', 1);
    expect([host.status(), host.shouldWork, app.get(Calls).all]).toEqual([undefined, false, []]);
    const done = nextEvent(app.get(TaskEvents), 'task.completed');
    await Promise.all([host.start(), host.start()]);
    await done;
    expect(host.status()?.state).toBe('running');
    expect(await host.stop()).toMatchObject({ drained: 0, released: 0, stuck: 0 });
    await expect(host.start()).rejects.toThrow(/stopped/);
  });

  it('cannot be started before the application is initialised', async () => {
    let early: unknown;
    const starting = {
      provide: 'EARLY',
      inject: [TaskWorkerHost],
      useFactory: async (host: TaskWorkerHost) => {
        early = await host.start().catch((error: unknown) => error);
        return true;
      },
    };
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, starting]);
    expect(early).toMatchObject({ code: 'TASKQ_LIFECYCLE' });
    expect(app.get(TaskWorkerHost).status()?.state).toBe('running');
  });
});

describe('in a testing module', () => {
  it('works, and its tokens can be overridden', async () => {
    const enqueued: unknown[][] = [];
    const fake = { enqueue: async (...args: unknown[]) => void enqueued.push(args) };
    const compile = (root: Type) =>
      Test.createTestingModule({ imports: [root] })
        .overrideProvider(getTaskProducerToken())
        .useValue(fake)
        .compile();
    @Module({ imports: [TaskQueueModule.forRoot(optionsFor(server))], providers: [Mailer, Calls] })
    class Root {}
    const testing = await compile(Root);
    await testing.init();
    await testing.get(TaskProducer).enqueue('mail');
    expect(enqueued).toEqual([['mail']]);
    expect(testing.get(TaskWorkerHost).status()?.state).toBe('running');
    await testing.close();
  });
});

describe('a Redis that persists nothing', () => {
  it('is warned of once per connection, ignored, or refused, by policy', async () => {
    const volatile = 'appends nothing to a file';
    const by = (persistence?: 'ignore' | 'warn' | 'require') =>
      optionsFor(server, { redis: { persistence } });
    const second = TaskQueueModule.forRoot({ ...by('warn'), name: 'second' });
    const warned = await startWith(by(), [], { imports: [second] });
    const ignored = await startWith(by('ignore'), []);

    expect(warned.log.said(volatile, 'warn')).toHaveLength(2);
    expect(ignored.log.said(volatile)).toEqual([]);
    await expect(startWith(by('require'), [])).rejects.toMatchObject({
      code: 'TASKQ_REDIS_UNUSABLE',
      message: expect.stringContaining(volatile) as string,
    });
  });
});
