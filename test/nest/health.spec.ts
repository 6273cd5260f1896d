import { Controller, Get, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import {
  type LostRange,
  TaskHandler,
  TaskProducer,
  TaskQueue,
  TaskQueueModule,
  type TaskQueueModuleOptions,
  TaskWorkerHost,
} from '@taskq/nestjs';
import { TaskQueueHealthIndicator, TaskQueueHealthModule } from '@taskq/nestjs/terminus';
import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attempt, closeApplications, optionsFor, start } from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

interface DataLossDetail {
  readonly queue: string;
  readonly how: string;
  readonly at: string;
  readonly ranges: readonly LostRange[];
}

@Injectable()
class Gate {
  open: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

@Injectable()
class Handlers {
  constructor(private readonly gate: Gate) {}
  @TaskHandler('quick')
  quick() {}
  @TaskHandler('slow', { queue: 'slow' })
  async slow() {
    await this.gate.opened;
  }
  @TaskHandler('slow')
  async slowToo() {
    await this.gate.opened;
  }
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly tasks: TaskQueueHealthIndicator,
  ) {}
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.tasks.check('tasks')]);
  }
}

@Module({ imports: [TerminusModule, TaskQueueHealthModule], controllers: [HealthController] })
class HealthModule {}

async function startHealthy(options: TaskQueueModuleOptions, more: ModuleMetadata = {}) {
  const { app } = await start({
    imports: [TaskQueueModule.forRoot(options), HealthModule, ...(more.imports ?? [])],
    providers: [Handlers, Gate, ...(more.providers ?? [])],
  });
  return { app, health: app.get(HealthController), indicator: app.get(TaskQueueHealthIndicator) };
}

describe('up', () => {
  it('with what the worker does and how much there is to do', async () => {
    const { app, health } = await startHealthy(
      optionsFor(server, { queues: { slow: { concurrency: 1 }, more: {} } }),
    );
    await app.get(TaskProducer).enqueue('slow', { key: 'secret-value' }, { queue: 'slow' });
    await waitFor(
      () =>
        app
          .get(TaskWorkerHost)
          .status()
          ?.queues.some(({ active }) => active > 0),
      { what: 'a start' },
    );
    const answer = await health.check();
    expect(answer.status).toBe('ok');
    expect(answer.details.tasks).toEqual({
      status: 'up',
      redis: { pingMs: expect.any(Number) },
      worker: {
        state: 'running',
        consumer: app.get(TaskWorkerHost).status()?.consumer,
        lastProgressMs: expect.any(Number),
        queues: [
          { queue: 'default', slots: 10, active: 0, stuck: 0 },
          { queue: 'slow', slots: 1, active: 1, stuck: 0 },
        ],
      },
      queues: {
        default: expect.objectContaining({ active: 0, dead: 0 }),
        slow: expect.objectContaining({ active: 1 }),
        more: expect.objectContaining({ active: 0 }),
      },
    });
    expect(JSON.stringify(answer)).not.toContain('secret-value');
    app.get(Gate).open();
  });

  it('for a producer, and for a worker that is not to start yet', async () => {
    for (const options of [{ role: 'producer' }, { autoStart: false }] as const) {
      const { indicator } = await startHealthy(optionsFor(server, options));
      expect((await indicator.check('tasks')).tasks.status).toBe('up');
    }
  });
});

// Terminus 12 brought the state; the detail for Terminus 11 is tested below.
const knowsDegraded = 'degraded' in new HealthIndicatorService().check('any');

describe('degraded', () => {
  it.runIf(knowsDegraded)('when the oldest ready task is too old', async () => {
    const { app, health, indicator } = await startHealthy(optionsFor(server, { role: 'producer' }));
    await app.get(TaskProducer).enqueue('quick', {});
    await waitFor(
      async () => (await indicator.check('tasks', { backlogAgeMs: 1 })).tasks.status === 'degraded',
      { what: 'the backlog to be noticed' },
    );
    const { tasks } = await indicator.check('tasks', { backlogAgeMs: 1 });
    expect(tasks).toMatchObject({
      reason: 'tasks wait too long in "default"',
      queues: { default: { ready: { normal: 1 } } },
    });
    expect((await indicator.check('tasks', { backlogAgeMs: 1, queues: ['slow'] })).tasks.status).toBe('up');
    expect((await health.check()).status).toBe('ok');
  });

  it('is told as a detail where Terminus knows no such state', async () => {
    const older = {
      check: (key: string) => ({ up: (data: object) => ({ [key]: { status: 'up', ...data } }) }),
    };
    const { app } = await start({
      imports: [TaskQueueModule.forRoot(optionsFor(server, { role: 'producer' }))],
      providers: [
        { provide: HealthIndicatorService, useValue: older },
        TaskQueueHealthIndicator,
        Handlers,
        Gate,
      ],
    });
    await app.get(TaskProducer).enqueue('quick', {});
    const indicator = app.get(TaskQueueHealthIndicator);
    await waitFor(async () => 'degraded' in (await indicator.check('tasks', { backlogAgeMs: 1 })).tasks, {
      what: 'it',
    });
    expect((await indicator.check('tasks', { backlogAgeMs: 1 })).tasks).toMatchObject({
      status: 'up',
      degraded: true,
    });
  });
});

describe('after Redis lost data', () => {
  /** A Redis that keeps nothing, and an application on it. */
  async function onVolatile(more: ModuleMetadata = {}) {
    const own = await startRedisServer();
    const started = await startHealthy(optionsFor(own), more);
    return { own, ...started, producer: started.app.get(TaskProducer) };
  }

  /** All queues are looked at, each when it is: that of the task is the one that counts. */
  const untilLost = (indicator: TaskQueueHealthIndicator): Promise<unknown> =>
    waitFor(
      async () => {
        const { dataLoss = [] } = (await indicator.check('tasks')).tasks;
        return (dataLoss as readonly DataLossDetail[]).some(({ queue }) => queue === 'default');
      },
      { what: 'the loss to show' },
    );

  it.runIf(knowsDegraded)('is degraded within 5 s of its return, and names what is gone', async () => {
    const { own, app, health, indicator, producer } = await onVolatile();
    try {
      await attempt(app, 'quick');
      for (const n of [1, 2, 3]) await producer.enqueue('quick', n, { delay: '1h' });
      const before = Date.now();
      await own.kill();
      await own.restart();
      const back = performance.now();
      const tasks = await waitFor(
        async () => {
          const answer = (await indicator.check('tasks')).tasks;
          return answer.status === 'degraded' && answer;
        },
        { what: 'the loss to show' },
      );
      await untilLost(indicator);

      expect(performance.now() - back).toBeLessThan(5000);
      expect(tasks).toMatchObject({
        reason: expect.stringMatching(/^data was lost in /) as string,
        dataLoss: expect.any(Array) as unknown,
      });
      const seen = (): string[] =>
        app
          .get(TaskQueue)
          .losses.lastOfEach.filter(({ queue }) => queue === 'default')
          .flatMap(({ ranges }) => ranges.map((range) => range.of));
      await waitFor(() => seen().includes('groups') && seen().includes('normal'), {
        what: 'both to find out',
      });
      const losses = (await indicator.check('tasks')).tasks.dataLoss as readonly DataLossDetail[];
      const loss = losses.find(({ queue }) => queue === 'default')!;
      expect(loss.how).toBe('replaced');
      expect(Date.parse(loss.at)).toBeGreaterThanOrEqual(before);
      expect(new Set(loss.ranges.map((range) => range.of))).toEqual(new Set(['groups', 'normal']));
      for (const { of, after, upTo } of loss.ranges) {
        const [first, last] = of === 'groups' ? [/\/0$/, /\/\d+$/] : [/^0-0$/, /^\d+-\d+$/];
        expect([after, upTo]).toEqual([expect.stringMatching(first), expect.stringMatching(last)]);
      }
      // It is past: nobody is taken out of service for it, unless that is asked for, and it does not show for ever.
      expect((await health.check()).status).toBe('degraded');
      expect((await indicator.check('tasks', { failOnDataLoss: true })).tasks.status).toBe('down');
      const later = (await indicator.check('tasks', { dataLossMs: 0, failOnDataLoss: true })).tasks;
      expect(later.status).toBe('up');
      expect(later).not.toHaveProperty('dataLoss');
    } finally {
      await closeApplications();
      await own.stop();
    }
  });

  it.runIf(knowsDegraded)('by a command, it is degraded as soon as a task is enqueued', async () => {
    const { own, indicator, producer } = await onVolatile();
    const admin = new Redis(own.url);
    try {
      await producer.enqueue('quick', 1, { delay: '1h' });
      await admin.flushall();
      await producer.enqueue('quick', 2);
      await untilLost(indicator);

      const { dataLoss } = (await indicator.check('tasks')).tasks;
      expect(dataLoss).toContainEqual(
        expect.objectContaining({ queue: 'default', how: 'deleted', reoffered: 0 }),
      );
    } finally {
      admin.disconnect();
      await closeApplications();
      await own.stop();
    }
  });

  it('says so also while Redis is away again', async () => {
    const { own, indicator, producer } = await onVolatile();
    const admin = new Redis(own.url);
    try {
      await producer.enqueue('quick', 1, { delay: '1h' });
      await admin.flushall();
      await producer.enqueue('quick', 2);
      await untilLost(indicator);
      admin.disconnect();
      await own.kill();

      const { tasks } = await indicator.check('tasks', { timeoutMs: 500 });
      expect(tasks.status).toBe('down');
      expect(tasks.dataLoss).toContainEqual(expect.objectContaining({ queue: 'default' }));
    } finally {
      admin.disconnect();
      await closeApplications();
      await own.stop();
    }
  });
});

describe('down', () => {
  it('when every slot is taken by a handler that does not end; one that has other queues is degraded', async () => {
    const { app, indicator } = await startHealthy(
      optionsFor(server, { worker: { abortGrace: '50ms' }, queueDefaults: { concurrency: 1 } }),
    );
    const host = app.get(TaskWorkerHost);
    const stuck = (queue: string) => host.status()?.queues.find((each) => each.queue === queue)?.stuck;
    const hang = async (queue: string): Promise<void> => {
      await app.get(TaskProducer).enqueue('slow', {}, { queue, timeout: '50ms', maxAttempts: 1 });
      await waitFor(() => stuck(queue) === 1, { what: 'a handler to be stuck' });
    };
    await hang('slow');
    const half = (await indicator.check('tasks')).tasks;
    expect(half).toMatchObject({
      ...(knowsDegraded ? { status: 'degraded' } : { degraded: true }),
      reason: 'every slot of "slow" is taken by a handler that did not end',
    });

    await hang('default');
    expect((await indicator.check('tasks')).tasks).toMatchObject({
      status: 'down',
      reason: expect.stringContaining('only a restart frees them') as string,
    });
    app.get(Gate).open();
    await waitFor(async () => (await indicator.check('tasks')).tasks.status === 'up', { what: 'health' });
  });

  it('while the worker drains and once it is stopped', async () => {
    const { app, health, indicator } = await startHealthy(optionsFor(server));
    const host = app.get(TaskWorkerHost);
    await app.get(TaskProducer).enqueue('slow', {}, { queue: 'slow' });
    await waitFor(() => host.status()?.queues.some(({ active }) => active > 0), { what: 'a start' });
    const stopping = host.stop();
    await waitFor(() => host.status()?.state === 'quiet', { what: 'the drain' });
    expect((await indicator.check('tasks')).tasks).toMatchObject({
      status: 'down',
      reason: 'the worker is quiet',
    });
    await expect(health.check()).rejects.toThrow('Service Unavailable Exception');
    app.get(Gate).open();
    await stopping;
    expect((await indicator.check('tasks')).tasks).toMatchObject({
      status: 'down',
      reason: 'the worker is stopped',
    });
  });

  it('when the worker does not get on', async () => {
    const { app, indicator } = await startHealthy(optionsFor(server, { worker: { block: '100ms' } }));
    const status = app.get(TaskWorkerHost).status()!;
    app.get(TaskWorkerHost).status = () => ({ ...status, lastProgressMs: 301 });
    expect((await indicator.check('tasks')).tasks).toMatchObject({
      status: 'down',
      reason: 'the worker has not read for 301 ms',
    });
  });

  it('for one connection of several', async () => {
    const second = TaskQueueModule.forRoot({ ...optionsFor(server), name: 'second' });
    const { indicator } = await startHealthy(optionsFor(server), { imports: [second] });
    expect((await indicator.check('tasks', { connection: 'second' })).tasks).toMatchObject({
      status: 'up',
      queues: {},
    });
    await expect(indicator.check('tasks', { connection: 'third' })).rejects.toThrow(
      'there is no connection "third"',
    );
  });

  it('when Redis does not answer in time', async () => {
    const own = await startRedisServer();
    const { indicator } = await startHealthy(optionsFor(own, { role: 'producer' }));
    process.kill(own.pid!, 'SIGSTOP');
    try {
      const { tasks } = await indicator.check('tasks', { timeoutMs: 100 });
      expect(tasks).toMatchObject({ status: 'down', reason: 'Redis: no answer within 100 ms' });
    } finally {
      process.kill(own.pid!, 'SIGCONT');
      await closeApplications();
      await own.stop();
    }
  });

  it('when Redis is killed, at once, and up again when it is back', async () => {
    const own = await startRedisServer();
    try {
      const { app, indicator } = await startHealthy(optionsFor(own));
      await own.kill();
      const began = performance.now();
      const { tasks } = await indicator.check('tasks', { timeoutMs: 500 });
      expect(tasks).toMatchObject({ status: 'down', reason: expect.stringMatching(/^Redis: /) as string });
      expect(performance.now() - began).toBeLessThan(1000);
      await own.restart();
      // Degraded, since this Redis has forgotten everything.
      await waitFor(async () => (await indicator.check('tasks')).tasks.status !== 'down', { what: 'health' });
      expect(await attempt(app, 'quick')).toMatchObject({ how: 'task.completed' });
    } finally {
      await closeApplications();
      await own.stop();
    }
  });
});
