import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
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
import { isTaskContext, snooze, TaskContext, TaskHandler, TaskPayload } from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { IsEmail, IsInt } from 'class-validator';
import { EMPTY, map, of, throwError } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attempt, closeApplications, optionsFor, startWith } from './application.js';
import { Answers, Calls, SwitchGuard } from './enhancers.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

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
