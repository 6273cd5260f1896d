import {
  type CanActivate,
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  Param,
  type PipeTransform,
  type Provider,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  ConfigurationError,
  defineTask,
  TaskHandler,
  TaskPayload,
  TaskProducer,
  TaskQueueModule,
} from '@taskq/nestjs';
import { freePort, type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeApplications, knowsUseClass, LogBook, optionsFor, start, startWith } from './application.js';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis(server.url);
});
afterEach(async () => {
  await closeApplications();
  // Whatever ended the start, nothing may keep the process alive.
  const others = async () => (await redis.client('LIST')) as string;
  await waitFor(async () => !(await others()).includes('name=taskq'), { what: 'every link to be closed' });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** What ends the start of an application with these providers. */
async function refusal(providers: Provider[], more: Parameters<typeof startWith>[2] = {}): Promise<string> {
  const error: unknown = await startWith(optionsFor(server), providers, more).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return (error as Error).message;
}

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

describe('what Nest would do in silence', () => {
  @Injectable()
  class Pipe implements PipeTransform {
    transform(value: unknown): unknown {
      return value;
    }
  }
  @Injectable()
  class Interceptor {
    intercept(): void {}
  }
  @Catch()
  class Filter {
    catch(): void {}
  }

  @Injectable()
  @UseGuards(Guard)
  class Everything {
    @TaskHandler('everything')
    @UseInterceptors(Interceptor)
    @UsePipes(Pipe)
    @UseFilters(Filter)
    run(@TaskPayload(Pipe) _payload: unknown) {}
  }

  it('is nothing for a plain class', async () => {
    await expect(startWith(optionsFor(server), [Everything])).resolves.toBeDefined();
  });

  const byUseClass = [{ provide: 'HANDLERS', useClass: Everything }];

  it.runIf(knowsUseClass)('is nothing for useClass', async () => {
    await expect(startWith(optionsFor(server), byUseClass)).resolves.toBeDefined();
  });

  it.skipIf(knowsUseClass)('leaves out enhancers given as classes: useClass, in older versions', async () => {
    expect(await refusal(byUseClass)).toContain('guard Guard would not be applied');
  });

  it.each([
    ['useValue', { provide: 'HANDLERS', useValue: new Everything() }],
    ['useFactory', { provide: Everything, useFactory: () => new Everything() }],
  ])('leaves out enhancers given as classes: %s', async (_, provider) => {
    const message = await refusal([provider]);
    for (const name of ['guard Guard', 'interceptor Interceptor', 'pipe Pipe', 'filter Filter']) {
      expect(message).toContain(`Everything.run (AppModule): ${name} would not be applied`);
    }
    expect(message).toContain('list the class itself in providers, or give the decorator an instance');
  });

  it('leaves them out for controllers, too', async () => {
    @Controller()
    class Reports {
      @TaskHandler('report')
      @UseGuards(Guard)
      build() {}
    }
    const message = await refusal([], { controllers: [Reports] });
    expect(message).toContain('Reports.build (AppModule): guard Guard would not be applied');
  });

  it('runs transient classes without their dependencies', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Handlers {
      @TaskHandler('transient')
      run() {}
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientGuard extends Guard {}
    @Injectable()
    class Guarded {
      @TaskHandler('guarded')
      @UseGuards(TransientGuard)
      run() {}
    }
    const message = await refusal([Handlers, Guarded]);
    expect(message).toContain('Handlers.run (AppModule): its class has Scope.TRANSIENT');
    expect(message).toContain('Guarded.run (AppModule): guard TransientGuard has Scope.TRANSIENT');
  });

  it('leaves parameters undefined', async () => {
    @Injectable()
    class Handlers {
      @TaskHandler('third')
      third(_payload: unknown, _context: unknown, _more: unknown) {}
      @TaskHandler('first')
      first(_context: unknown, @TaskPayload() _payload: unknown) {}
      @TaskHandler('http')
      http(@TaskPayload() _payload: unknown, @Param('id') _id: string) {}
    }
    const message = await refusal([Handlers]);
    expect(message).toContain('Handlers.third (AppModule): its parameter 3 has no decorator');
    expect(message).toContain('Handlers.first (AppModule): its parameter 1 has no decorator');
    expect(message).toContain(
      'Handlers.http (AppModule): its parameter 2 has a decorator that reads an HTTP request',
    );
  });

  it('loses a handler, and its guards, to a decorator that replaces the method', async () => {
    const Wrapped =
      () => (_target: object, _key: string, descriptor: TypedPropertyDescriptor<() => void>) => {
        const original = descriptor.value!;
        descriptor.value = function (this: unknown) {
          Reflect.apply(original, this, []);
        };
      };
    class Base {
      @Wrapped()
      @TaskHandler('lost')
      lost() {}
      @TaskHandler('kept')
      @Wrapped()
      kept() {}
      @Wrapped()
      @TaskHandler('overridden')
      overridden() {}
    }
    @Injectable()
    class Handlers extends Base {
      override overridden() {}
    }
    expect(await refusal([Handlers])).toBe(
      'taskq cannot start: Handlers.lost (AppModule): a decorator above @TaskHandler put another function in its ' +
        'place and would leave out its guards; put @TaskHandler and the decorators of Nest on top',
    );
  });

  it('leaves out global enhancers that are made per request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Guard {}
    const providers = [{ provide: APP_GUARD, useClass: PerRequest }];
    await startWith(optionsFor(server), providers);
    const options = optionsFor(server, { globalEnhancers: true });
    await expect(startWith(options, providers)).rejects.toThrow(/global guard PerRequest is request-scoped/);
  });
});

describe('handlers that cannot be', () => {
  it('two for one type in a queue, and one class in two modules', async () => {
    @Injectable()
    class First {
      @TaskHandler('mail')
      send() {}
    }
    @Injectable()
    class Second {
      @TaskHandler('mail')
      post() {}
      @TaskHandler('mail', { queue: 'other' })
      inAnotherQueue() {}
    }
    @Module({ providers: [First] })
    class Feature {}
    expect(await refusal([First, Second])).toMatch(
      /two handlers for task "mail" in queue "default": First\.send \(AppModule\) and Second\.post \(AppModule\)/,
    );
    expect(await refusal([First], { imports: [Feature] })).toMatch(
      /First\.send \(\w+\) and First\.send \(\w+\); .*a class provided in two modules is found twice/,
    );
  });

  it('are all named in one message, with every connection looked at', async () => {
    class Bare {
      name: string;
    }
    @Injectable()
    class Handlers {
      @TaskHandler('not a name')
      name() {}
      @TaskHandler('options', { maxAttempt: 3, timeout: '8d' } as object)
      options() {}
      @TaskHandler('version', { version: 1.5 })
      version() {}
      @TaskHandler(defineTask({ type: 'contracted', version: 2 }), { version: 3 })
      contracted() {}
      @TaskHandler('idle', { upgrade: (payload) => payload })
      idle() {}
      @TaskHandler('nowhere', { connection: 'elsewhere' })
      nowhere() {}
      @TaskHandler(defineTask({ type: 'bare', payload: Bare }))
      bare() {}
      @TaskHandler('ambiguous', { connection: 'second' })
      ambiguous() {}
    }
    const message = await refusal([Handlers], {
      imports: [
        TaskQueueModule.forRoot({ ...optionsFor(server), name: 'second' }),
        TaskQueueModule.forFeature({
          connection: 'second',
          contracts: [
            defineTask({ type: 'ambiguous', queue: 'a' }),
            defineTask({ type: 'ambiguous', queue: 'b' }),
            defineTask({ type: 'twice' }),
            defineTask({ type: 'twice' }),
            defineTask({ type: 'wrong', maxAttempts: 0 }),
          ],
        }),
        TaskQueueModule.forFeature({ connection: 'third', queues: { x: {} } }),
        TaskQueueModule.forFeature({ queues: { twice: { concurrency: 0 }, 'no name': {} } }),
      ],
    });
    const expected = [
      'Handlers.name (AppModule): task type "not a name" must be',
      'Handlers.options (AppModule): unknown option "maxAttempt", did you mean "maxAttempts"?',
      'Handlers.options (AppModule): timeout must be a duration of 1ms to 1w',
      'Handlers.version (AppModule): version must be a whole number of 1 to 1000, not 1.5',
      "Handlers.contracted (AppModule): version 3 is not the contract's, which is 2: leave it to the contract",
      'Handlers.idle (AppModule): upgrade needs a version above 1',
      'Handlers.nowhere (AppModule): there is no connection "elsewhere" (configured with forRoot: "default", "second")',
      'Handlers.bare (AppModule): class Bare has no class-validator decorator',
      'Handlers.ambiguous (AppModule): task "ambiguous" has contracts in several queues ("a", "b"): name the queue',
      'two contracts for task "twice" in queue "default" are declared',
      'contract "wrong": maxAttempts must be a whole number of 1 to 1000, not 0',
      'forFeature: there is no connection "third"',
      'concurrency must be a whole number',
      'queue name "no name" must be',
    ];
    expect(message).toContain('taskq cannot start');
    for (const part of expected) expect(message).toContain(part);
    expect(message.split('\n')).toHaveLength(expected.length + 1);
  });

  it('is not disturbed by a route handler beside a task handler', async () => {
    @Controller()
    class Reports {
      @Get(':id')
      read(@Param('id') id: string) {
        return id;
      }
      @TaskHandler('report')
      build() {}
    }
    await expect(startWith(optionsFor(server), [], { controllers: [Reports] })).resolves.toBeDefined();
  });
});

describe('connections that cannot be', () => {
  it('a name used twice', async () => {
    const options = optionsFor(server);
    const message = await refusal([], { imports: [TaskQueueModule.forRoot(options)] });
    expect(message).toContain('connection "default" is configured twice');
  });

  it('wrong and unknown options, of module and engine in one message', async () => {
    const options = {
      rol: 'worker',
      autoStart: 'no',
      prefix: 'a b',
      queues: { x: { concurency: 1 } },
    } as object;
    const error: unknown = await start({ imports: [TaskQueueModule.forRoot(options)] }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems).toEqual([
      'unknown option "rol", did you mean "role"?',
      'autoStart must be one of true, false, not "no"',
      expect.stringContaining('prefix must be'),
      'unknown option "queues.x.concurency", did you mean "concurrency"?',
    ]);
  });

  it('a name that a factory returns', async () => {
    const options = { useFactory: () => ({ ...optionsFor(server), name: 'mail' }) };
    await expect(start({ imports: [TaskQueueModule.forRootAsync(options)] })).rejects.toThrow(
      /name belongs beside useFactory/,
    );
  });

  it('a feature without any', async () => {
    const imports = [TaskQueueModule.forFeature({ queues: { mail: {} } })];
    await expect(start({ imports })).rejects.toThrow(
      /there is no connection "default": import TaskQueueModule.forRoot/,
    );
  });

  it('no Redis: one message that says where, why and what to do', async () => {
    const port = await freePort();
    const log = new LogBook();
    const options = { redis: { addr: `127.0.0.1:${port}`, connectTimeout: '200ms' } } as const;
    const second = { ...optionsFor(server), name: 'second' };
    const imports = [TaskQueueModule.forRoot(second), TaskQueueModule.forRoot(options)];
    await expect(start({ imports }, log)).rejects.toThrow(
      `cannot reach Redis at 127.0.0.1:${port} within 200 ms: ECONNREFUSED`,
    );
    expect(log.said('ECONNREFUSED')).toEqual([]); // it is Nest that prints it, once
  });

  it('a worker that cannot start ends those that have', async () => {
    const own = await startRedisServer();
    const producer: { enqueue?: TaskProducer['enqueue'] } = {};
    @Injectable()
    class Handlers implements OnApplicationBootstrap {
      constructor(first: TaskProducer) {
        producer.enqueue = first.enqueue.bind(first);
      }
      @TaskHandler('first')
      @TaskHandler('second', { connection: 'second' })
      run() {}
      async onApplicationBootstrap(): Promise<void> {
        await own.kill();
      }
    }
    const first = TaskQueueModule.forRoot(optionsFor(server));
    const second = TaskQueueModule.forRoot({ ...optionsFor(own), name: 'second' });
    const log = new LogBook();
    const starting = start({ imports: [first, second], providers: [Handlers] }, log);
    await expect(starting).rejects.toMatchObject({ code: expect.stringMatching(/^TASKQ_BROKER/) as string });
    expect(log.said('worker')).toEqual([
      expect.stringContaining('started on default (10 at once: first)'),
      expect.stringContaining('worker stopped'),
    ]);
    await expect(producer.enqueue?.('first')).rejects.toMatchObject({ code: 'TASKQ_LIFECYCLE' });
    await own.stop();
  });

  it('a Redis that would lose tasks is refused, or warned of by policy', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      await expect(startWith(optionsFor(server), [])).rejects.toThrow(/maxmemory-policy is "allkeys-lru"/);
      const { log } = await startWith(optionsFor(server, { redis: { url: server.url, unsafe: 'warn' } }), []);
      expect(log.said('maxmemory-policy is "allkeys-lru"', 'warn')).toHaveLength(1);
    } finally {
      await redis.config('SET', 'maxmemory-policy', 'noeviction');
    }
  });
});
