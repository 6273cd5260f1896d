import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  createParamDecorator,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import * as nest from '@nestjs/common';
import { APP_GUARD, APP_PIPE } from '@nestjs/core';
import { isTaskContext, snooze, TaskContext, TaskHandler, TaskPayload, TaskQueueModule } from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { IsEmail, IsInt } from 'class-validator';
import { EMPTY, map, of, throwError } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attempt, closeApplications, LogBook, optionsFor, start, startWith } from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

/** What handlers were called with. */
class Calls {
  readonly all: unknown[][] = [];
  add(...args: unknown[]): void {
    this.all.push(args);
  }
}

@Injectable()
class Answers {
  allowed = true;
}

@Injectable()
class SwitchGuard implements CanActivate {
  constructor(private readonly answers: Answers) {}
  canActivate(): boolean {
    return this.answers.allowed;
  }
}

const Tenant = createParamDecorator((_: unknown, host: ExecutionContext) => {
  const [payload, task] = host.getArgs<[{ tenant?: string }, TaskContext]>();
  return `${payload.tenant ?? 'none'} of ${task.type}`;
});

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

describe('guards', () => {
  it('of class and method decide, with their dependencies', async () => {
    @Injectable()
    @UseGuards(SwitchGuard)
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('by-class')
      byClass() {
        this.calls.add('by-class');
      }
      @TaskHandler('by-method')
      @UseGuards({
        canActivate: (host: ExecutionContext) => isTaskContext(host) && host.getClass() === Mailer,
      })
      byMethod() {
        this.calls.add('by-method');
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, Answers]);
    await attempt(app, 'by-class');
    await attempt(app, 'by-method');
    expect(app.get(Calls).all).toEqual([['by-class'], ['by-method']]);
    app.get(Answers).allowed = false;
    const ending = await attempt(app, 'by-method');
    expect(ending).toMatchObject({ how: 'task.retrying', error: { message: 'Forbidden resource' } });
    expect(app.get(Calls).all).toHaveLength(2);
  });

  it('stay when somebody wraps the method', async () => {
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {
        const original = this.send.bind(this);
        this.send = (payload) => original({ wrapped: payload });
      }
      @TaskHandler('mail')
      @UseGuards(SwitchGuard)
      send(payload: unknown): void {
        this.calls.add(payload);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, Answers]);
    await attempt(app, 'mail', 1);
    app.get(Answers).allowed = false;
    expect(await attempt(app, 'mail', 2)).toMatchObject({ how: 'task.retrying' });
    expect(app.get(Calls).all).toEqual([[{ wrapped: 1 }]]);
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

class MailDto {
  @IsEmail()
  to: string;
  @IsInt()
  times: number;
}

describe('pipes', () => {
  it('see an undecorated payload as a body, with its class', async () => {
    @Injectable()
    @UsePipes(new ValidationPipe({ transform: true }))
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('mail')
      send(payload: MailDto, context: TaskContext) {
        this.calls.add(payload instanceof MailDto, payload.to, context.type);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    await attempt(app, 'mail', { to: 'a@b.cd', times: 1 });
    expect(app.get(Calls).all).toEqual([[true, 'a@b.cd', 'mail']]);
    const ending = await attempt(app, 'mail', { to: 'nobody' });
    expect(ending).toMatchObject({ how: 'task.retrying', error: { message: 'Bad Request Exception' } });
    expect(app.get(Calls).all).toHaveLength(1);
  });

  it('apply to the payload alone when given to its decorator, as class or instance', async () => {
    @Injectable()
    class Doubled implements PipeTransform<number, number> {
      constructor(private readonly answers: Answers) {}
      transform(value: number): number {
        return this.answers.allowed ? value * 2 : value;
      }
    }
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('pipes')
      pipes(@TaskPayload(new ParseIntPipe(), Doubled) payload: number, context: TaskContext) {
        this.calls.add(payload, context.type);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls, Answers]);
    await attempt(app, 'pipes', '21');
    expect(app.get(Calls).all).toEqual([[42, 'pipes']]);
  });

  // StandardSchemaValidationPipe came with Nest 12.
  it.runIf('StandardSchemaValidationPipe' in nest)('may check a schema of the parameter', async () => {
    const { StandardSchemaValidationPipe } = nest;
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('schema')
      schema(
        @TaskPayload({
          schema: z.object({ n: z.coerce.number() }),
          pipes: [new StandardSchemaValidationPipe()],
        })
        payload: object,
      ) {
        this.calls.add(payload);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    await attempt(app, 'schema', { n: '7' });
    expect(app.get(Calls).all).toEqual([[{ n: 7 }]]);
    expect(await attempt(app, 'schema', { n: 'x' })).toMatchObject({ how: 'task.retrying' });
  });
});

describe('interceptors', () => {
  const storage = new AsyncLocalStorage<string>();

  it('wrap the handler, may change what it returns and carry an async context', async () => {
    @Injectable()
    class Traced implements NestInterceptor {
      constructor(private readonly calls: Calls) {}
      intercept(host: ExecutionContext, next: CallHandler) {
        const [, task] = host.getArgs<[unknown, TaskContext]>();
        this.calls.add('before', host.getType(), host.getHandler().name);
        return storage.run(`trace of ${task.id}`, () => next.handle()).pipe(map(() => snooze('1h')));
      }
    }
    @Injectable()
    class Mailer {
      constructor(private readonly calls: Calls) {}
      @TaskHandler('mail')
      @UseInterceptors(Traced)
      async send(_payload: unknown, context: TaskContext) {
        await Promise.resolve();
        this.calls.add(storage.getStore() === `trace of ${context.id}`);
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer, Calls]);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.snoozed', delayMs: 3_600_000 });
    expect(app.get(Calls).all).toEqual([['before', 'task', 'send'], [true]]);
  });

  it('a handler may return an observable: its last value counts', async () => {
    @Injectable()
    class Mailer {
      @TaskHandler('mail')
      send() {
        return of(undefined, snooze(60_000));
      }
      @TaskHandler('broken')
      broken() {
        return throwError(() => new Error('from the stream'));
      }
    }
    const { app } = await startWith(optionsFor(server), [Mailer]);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.snoozed' });
    expect(await attempt(app, 'broken')).toMatchObject({
      how: 'task.retrying',
      error: { message: 'from the stream' },
    });
  });
});

describe('exception filters', () => {
  class Ours extends Error {}
  class Theirs extends Error {}

  @Catch(Ours)
  class Filter implements ExceptionFilter {
    constructor(private readonly answer: (error: Error, host: ArgumentsHost) => unknown) {}
    catch(error: Error, host: ArgumentsHost): unknown {
      return this.answer(error, host);
    }
  }

  @Injectable()
  class Mailer {
    @TaskHandler('value')
    @UseFilters(new Filter(() => 'handled'))
    value() {
      throw new Ours('value');
    }
    @TaskHandler('directive')
    @UseFilters(new Filter((error) => snooze(error.message === 'directive' ? '1h' : '2h')))
    directive() {
      throw new Ours('directive');
    }
    @TaskHandler('silent')
    @UseFilters(new Filter(() => undefined))
    silent() {
      throw new Ours('silent');
    }
    @TaskHandler('async-silent')
    @UseFilters(new Filter(async () => undefined))
    asyncSilent() {
      throw new Ours('async-silent');
    }
    @TaskHandler('rpc-style')
    @UseFilters(new Filter((error) => throwError(() => new Error(`translated ${error.message}`))))
    rpcStyle() {
      throw new Ours('rpc-style');
    }
    @TaskHandler('empty-stream')
    @UseFilters(new Filter(() => EMPTY))
    emptyStream() {
      throw new Ours('empty-stream');
    }
    @TaskHandler('other')
    @UseFilters(new Filter(() => 'handled'))
    other() {
      throw new Theirs('other');
    }
  }

  it('end the attempt with what they answer; one that answers nothing has not handled the error', async () => {
    const { app, log } = await startWith(optionsFor(server), [Mailer]);
    expect(await attempt(app, 'value')).toMatchObject({ how: 'task.completed' });
    expect(await attempt(app, 'directive')).toMatchObject({ how: 'task.snoozed', delayMs: 3_600_000 });
    for (const type of ['silent', 'async-silent', 'empty-stream', 'other']) {
      expect(await attempt(app, type)).toMatchObject({ how: 'task.retrying', error: { message: type } });
    }
    expect(await attempt(app, 'rpc-style')).toMatchObject({ error: { message: 'translated rpc-style' } });
    // Nest's own filter would have printed each of these errors; the task log does.
    expect(log.lines.filter(({ context }) => context === 'ExceptionsHandler')).toEqual([]);
  });
});

describe('global enhancers', () => {
  @Injectable()
  class HttpOnly implements CanActivate {
    canActivate(host: ExecutionContext): boolean {
      return (
        host.switchToHttp().getRequest<{ headers: { authorization: string } }>().headers.authorization !== ''
      );
    }
  }
  @Injectable()
  class Mailer {
    @TaskHandler('mail')
    send() {}
  }
  const providers = [Mailer, { provide: APP_GUARD, useClass: HttpOnly }];

  it('do not apply to tasks by themselves', async () => {
    const { app } = await startWith(optionsFor(server), providers);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.completed' });
  });

  it('apply when they are asked to', async () => {
    const { app } = await startWith(optionsFor(server, { globalEnhancers: true }), providers);
    expect(await attempt(app, 'mail')).toMatchObject({ how: 'task.retrying', error: { name: 'TypeError' } });
  });

  it('may be pipes, which see the payload', async () => {
    @Injectable()
    class Checked {
      @TaskHandler('checked')
      run(payload: MailDto) {
        return payload instanceof MailDto ? snooze('1h') : undefined;
      }
    }
    const pipe = { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true }) };
    const { app } = await startWith(optionsFor(server, { globalEnhancers: true }), [Checked, pipe]);
    expect(await attempt(app, 'checked', { to: 'a@b.cd', times: 1 })).toMatchObject({ how: 'task.snoozed' });
    expect(await attempt(app, 'checked', { to: 'nobody' })).toMatchObject({
      error: { message: 'Bad Request Exception' },
    });
  });
});
