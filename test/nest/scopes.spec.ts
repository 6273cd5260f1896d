import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Module,
  Scope,
  UseGuards,
} from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  ModuleRef,
  REQUEST,
} from '@nestjs/core';
import { TaskContext, TaskHandler } from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attempt, closeApplications, knowsUseClass, optionsFor, startWith } from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

class Calls {
  readonly all: unknown[] = [];
}

describe('request-scoped handlers', () => {
  @Injectable({ scope: Scope.REQUEST })
  class PerTask {
    readonly type: string;
    readonly number: number;
    constructor(@Inject(REQUEST) task: TaskContext, calls: Calls) {
      this.type = task.type;
      this.number = calls.all.length;
    }
  }

  it('are made for every task, with REQUEST as its context, and share what depends on it', async () => {
    @Injectable()
    class Repository {
      constructor(readonly perTask: PerTask) {}
    }
    @Injectable()
    class Mailer {
      constructor(
        private readonly calls: Calls,
        private readonly perTask: PerTask,
        private readonly repository: Repository,
      ) {}
      @TaskHandler('mail')
      @TaskHandler('post')
      send(payload: unknown, context: TaskContext) {
        const { type, number } = this.perTask;
        const same = this.repository.perTask === this.perTask;
        this.calls.all.push({ type, number, same, payload, attempt: context.attempt });
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, PerTask, Repository]);
    await attempt(app, 'mail', 'a');
    await attempt(app, 'post', 'b');
    expect(app.get(Calls).all).toEqual([
      { type: 'mail', number: 0, same: true, payload: 'a', attempt: 1 },
      { type: 'post', number: 1, same: true, payload: 'b', attempt: 1 },
    ]);
  });

  it('run their guards, and find their own objects again through ContextIdFactory', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class OnlyMail implements CanActivate {
      constructor(@Inject(REQUEST) private readonly task: TaskContext) {}
      canActivate(): boolean {
        return this.task.type === 'mail';
      }
    }
    @Injectable()
    class SameObjects implements CanActivate {
      constructor(
        private readonly moduleRef: ModuleRef,
        private readonly calls: Calls,
      ) {}
      async canActivate(host: ExecutionContext): Promise<boolean> {
        const task = host.getArgByIndex<TaskContext & Record<string, unknown>>(1);
        this.calls.all.push(await this.moduleRef.resolve(PerTask, ContextIdFactory.getByRequest(task)));
        return true;
      }
    }
    @Injectable()
    @UseGuards(OnlyMail, SameObjects)
    class Mailer {
      constructor(
        private readonly calls: Calls,
        private readonly perTask: PerTask,
      ) {}
      @TaskHandler('mail')
      @TaskHandler('post')
      send() {
        this.calls.all.push(this.perTask);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, PerTask]);
    expect(await attempt(app, 'post')).toMatchObject({ how: 'task.retrying' });
    expect(app.get(Calls).all).toEqual([]);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.completed' });
    const [byGuard, byHandler] = app.get(Calls).all;
    expect(byGuard).toBeInstanceOf(PerTask);
    expect(byHandler).toBe(byGuard);
  });

  it('under a token of two modules run the object of their own module', async () => {
    class Base {
      @Inject(Calls)
      protected readonly calls: Calls;
      @Inject(PerTask)
      protected readonly perTask: PerTask;
    }
    @Injectable()
    class First extends Base {
      @TaskHandler('first')
      run() {
        this.calls.all.push(`first ${this.perTask.type}`);
      }
    }
    @Injectable()
    class Second extends Base {
      @TaskHandler('second')
      run() {
        this.calls.all.push(`second ${this.perTask.type}`);
      }
    }
    @Module({})
    class FirstModule {}
    @Module({})
    class SecondModule {}
    const calls = new Calls();
    const shared = [PerTask, { provide: Calls, useValue: calls }];
    const { app } = await startWith(optionsFor(server), [], {
      imports: [
        { module: FirstModule, providers: [...shared, { provide: 'HANDLERS', useClass: First }] },
        { module: SecondModule, providers: [...shared, { provide: 'HANDLERS', useClass: Second }] },
      ],
    });
    await attempt(app, 'first');
    await attempt(app, 'second');
    expect(calls.all).toEqual(['first first', 'second second']);
  });

  it.runIf(knowsUseClass)(
    'under another token keep guards given as classes, and are found once',
    async () => {
      @Injectable()
      class Guard implements CanActivate {
        constructor(private readonly calls: Calls) {}
        canActivate(): boolean {
          this.calls.all.push('guard');
          return true;
        }
      }
      @Injectable()
      @UseGuards(Guard)
      class Mailer {
        constructor(readonly perTask: PerTask) {}
        @TaskHandler('mail')
        send() {}
      }
      const providers = [
        { provide: 'MAILER', useClass: Mailer },
        { provide: 'ALIAS', useExisting: 'MAILER' },
      ];
      const { app } = await startWith(optionsFor(server), [...providers, Calls, PerTask]);
      expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.completed' });
      expect(app.get(Calls).all).toEqual(['guard']);
    },
  );

  it('fail the attempt when they cannot be made', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Broken {
      constructor() {
        throw new Error('cannot be made');
      }
    }
    @Injectable()
    class Mailer {
      constructor(readonly broken: Broken) {}
      @TaskHandler('mail')
      send() {}
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Broken]);
    expect(await attempt(app, 'mail')).toMatchObject({
      how: 'task.retrying',
      error: { message: 'cannot be made' },
    });
  });
});

describe('durable handlers', () => {
  /** One tree of durable objects per tenant, as Nest's documentation has it. */
  class PerTenant implements ContextIdStrategy<TaskContext> {
    private readonly tenants = new Map<string, ContextId>();
    attach(contextId: ContextId, task: TaskContext) {
      const tenant = task.headers.tenant ?? 'none';
      const tree = this.tenants.get(tenant) ?? { id: this.tenants.size };
      this.tenants.set(tenant, tree);
      return {
        resolve: (info: HostComponentInfo) => (info.isTreeDurable ? tree : contextId),
        payload: { tenant },
      };
    }
  }

  afterEach(() => ContextIdFactory.apply(undefined as unknown as ContextIdStrategy));

  it('are made once per tenant, with REQUEST as what the strategy says of the tenant', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Database {
      readonly number = (made += 1);
      constructor(@Inject(REQUEST) readonly request: { tenant: string }) {}
    }
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Mailer {
      constructor(
        private readonly database: Database,
        private readonly calls: Calls,
      ) {}
      @TaskHandler('mail')
      send(_payload: unknown, context: TaskContext) {
        const { number, request } = this.database;
        this.calls.all.push([number, request.tenant, context.headers.tenant]);
      }
    }
    ContextIdFactory.apply(new PerTenant());
    const { app } = await startWith(optionsFor(server), [Mailer, Database, Calls]);
    for (const tenant of ['a', 'b', 'a']) await attempt(app, 'mail', {}, { headers: { tenant } });
    expect(app.get(Calls).all).toEqual([
      [1, 'a', 'a'],
      [2, 'b', 'b'],
      [1, 'a', 'a'],
    ]);
    expect(made).toBe(2);
  });

  it('never see the task that they happened to be made for', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Mailer {
      constructor(
        @Inject(REQUEST) private readonly request: unknown,
        private readonly calls: Calls,
      ) {}
      @TaskHandler('mail')
      send() {
        this.calls.all.push(this.request);
      }
    }
    const tree = { id: 1 };
    ContextIdFactory.apply({
      attach: (own) => (info: HostComponentInfo) => (info.isTreeDurable ? tree : own),
    });
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.completed' });
    expect(app.get(Calls).all).toEqual([undefined]);
  });

  it('may be a part of one that is made for every task', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Database {
      constructor(calls: Calls) {
        calls.all.push('database');
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Mailer {
      constructor(
        readonly database: Database,
        @Inject(REQUEST) private readonly task: TaskContext,
        private readonly calls: Calls,
      ) {}
      @TaskHandler('mail')
      send(_payload: unknown, context: TaskContext) {
        this.calls.all.push(this.task === context ? context.headers.tenant : 'another task');
      }
    }
    ContextIdFactory.apply(new PerTenant());
    const { app } = await startWith(optionsFor(server), [Mailer, Database, Calls]);
    for (const tenant of ['a', 'b', 'a']) await attempt(app, 'mail', {}, { headers: { tenant } });
    expect(app.get(Calls).all).toEqual(['database', 'a', 'database', 'b', 'a']);
  });
});
