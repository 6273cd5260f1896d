import { Controller, Inject, Injectable, Module, UseGuards } from '@nestjs/common';
import { TaskContext, TaskHandler, TaskPayload, TaskQueueModule } from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attempt, closeApplications, LogBook, optionsFor, start, startWith } from './application.js';
import { Answers, Calls, SwitchGuard, Tenant } from './enhancers.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

describe('arguments', () => {
  it('are the payload and the context when nothing is decorated', async () => {
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('mail')
      send(payload: unknown, context: TaskContext) {
        this.calls.add(payload, context.type, context.attempt, context.queue);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    expect(await attempt(app, 'mail', { to: 'a' })).toMatchObject({ how: 'task.completed' });
    expect(app.get(Calls).all).toEqual([[{ to: 'a' }, 'mail', 1, 'default']]);
  });

  it('follow decorators to any position, and leave the rest where they are', async () => {
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('swapped')
      swapped(@TaskContext() task: TaskContext, @TaskPayload() payload: unknown) {
        this.calls.add(task.type, payload);
      }
      @TaskHandler('tenant')
      tenant(payload: unknown, task: TaskContext, @Tenant() tenant: string) {
        this.calls.add(payload, task.type, tenant);
      }
      @TaskHandler('no-context')
      noContext(payload: unknown, @Tenant() tenant: string) {
        this.calls.add(payload, tenant);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    await attempt(app, 'swapped', 1);
    await attempt(app, 'tenant', { tenant: 'acme' });
    await attempt(app, 'no-context', { tenant: 'acme' });
    expect(app.get(Calls).all).toEqual([
      ['swapped', 1],
      [{ tenant: 'acme' }, 'tenant', 'acme of tenant'],
      [{ tenant: 'acme' }, 'acme of no-context'],
    ]);
  });

  it('may be shared by two handlers on one method', async () => {
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('one')
      @TaskHandler('two', { queue: 'other' })
      send(_payload: unknown, context: TaskContext) {
        this.calls.add(context.type, context.queue);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    await attempt(app, 'one');
    await attempt(app, 'two', {}, { queue: 'other' });
    expect(app.get(Calls).all).toEqual([
      ['one', 'default'],
      ['two', 'other'],
    ]);
  });
});

describe('where handlers are found', () => {
  abstract class Base {
    @Inject(Calls)
    protected readonly calls: Calls;
    abstract readonly name: string;
    @TaskHandler('inherited')
    inherited(@TaskPayload() payload: unknown) {
      this.calls.add(this.name, payload);
    }
    @TaskHandler('overridden')
    overridden() {
      this.calls.add('base');
    }
  }

  it('inherited methods of an abstract class are, overridden ones only with a decorator of their own', async () => {
    @Injectable()
    class Mailer extends Base {
      readonly name = 'mailer';
      override overridden() {
        this.calls.add('mailer');
      }
    }
    const options = optionsFor(server, { worker: { noHandlerTimeout: 0 } });
    const { app } = await startWith(options, [Mailer, Calls]);
    await attempt(app, 'inherited', 7);
    expect(app.get(Calls).all).toEqual([['mailer', 7]]);
    expect(await attempt(app, 'overridden')).toMatchObject({ how: 'task.dead', reason: 'no-handler' });
  });

  class Mailer {
    constructor(private readonly calls: Calls) {}
    @TaskHandler('mail')
    send(payload: unknown) {
      this.calls.add(payload);
    }
  }

  it.each([
    ['useClass', (calls: Calls) => [{ provide: 'MAILER', useFactory: () => new Mailer(calls) }]],
    ['useValue', (calls: Calls) => [{ provide: 'MAILER', useValue: new Mailer(calls) }]],
    [
      'an alias beside its class, once',
      (calls: Calls) => [
        { provide: Mailer, useFactory: () => new Mailer(calls) },
        { provide: 'MAILER', useExisting: Mailer },
      ],
    ],
    [
      'a factory that hands on the same object, once',
      (calls: Calls) => [
        { provide: Mailer, useFactory: () => new Mailer(calls) },
        { provide: 'MAILER', useFactory: (mailer: Mailer) => mailer, inject: [Mailer] },
      ],
    ],
  ])('%s', async (_, providers) => {
    const calls = new Calls();
    const { app } = await startWith(optionsFor(server), providers(calls));
    await attempt(app, 'mail', 1);
    expect(calls.all).toEqual([[1]]);
  });

  it('a class whose object a factory of another module hands on, as the class', async () => {
    @Injectable()
    @UseGuards(SwitchGuard)
    class Guarded extends Base {
      readonly name = 'guarded';
    }
    const handOn = { provide: 'FIRST', useFactory: (guarded: Guarded) => guarded, inject: [Guarded] };
    @Module({ providers: [Guarded, Calls, Answers], exports: [Guarded] })
    class GuardedModule {}
    const { app } = await startWith(optionsFor(server), [handOn], { imports: [GuardedModule] });
    expect(await attempt(app, 'inherited', 1)).toMatchObject({ how: 'task.completed' });
    expect(app.get(Calls).all).toEqual([['guarded', 1]]);
  });

  it('useClass, and controllers', async () => {
    @Injectable()
    class Printer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('print')
      print(payload: unknown) {
        this.calls.add('print', payload);
      }
    }
    @Controller('reports')
    class Reports {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('report')
      build(payload: unknown) {
        this.calls.add('report', payload);
      }
    }
    const providers = [{ provide: 'PRINTER', useClass: Printer }, Calls];
    const { app } = await startWith(optionsFor(server), providers, { controllers: [Reports] });
    await attempt(app, 'print', 1);
    await attempt(app, 'report', 2);
    expect(app.get(Calls).all).toEqual([
      ['print', 1],
      ['report', 2],
    ]);
  });
});

describe('providers that an instrumentation wraps', () => {
  /** As a tracing library does it: every object in a proxy, every method in a function of its own. */
  const instanceDecorator = (instance: unknown): unknown => {
    if (typeof instance !== 'object' || instance === null || instance instanceof Map) return instance;
    return new Proxy(instance, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function' || key === 'constructor') return value;
        return (...args: unknown[]) => Reflect.apply(value, target, args) as unknown;
      },
    });
  };

  it('keep their guards and parameters', async () => {
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('mail')
      @UseGuards(SwitchGuard)
      send(@TaskContext() context: TaskContext, @TaskPayload() payload: unknown) {
        this.calls.add(context.type, payload);
      }
    }
    const root = {
      imports: [TaskQueueModule.forRoot(optionsFor(server))],
      providers: [Mailer, Calls, Answers],
    };
    const { app } = await start(root, new LogBook(), { instanceDecorator });
    expect(await attempt(app, 'mail', 1)).toMatchObject({ how: 'task.completed' });
    app.get(Answers).allowed = false;
    expect(await attempt(app, 'mail', 2)).toMatchObject({ how: 'task.retrying' });
    expect(app.get(Calls).all).toEqual([['mail', 1]]);
  });
});
