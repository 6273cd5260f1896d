import { Injectable } from '@nestjs/common';
import {
  defineTask,
  Inspector,
  InvalidPayloadError,
  type Payload,
  type TaskContext,
  TaskEvents,
  TaskHandler,
  TaskProducer,
} from '@taskq/nestjs';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Transform, Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  IsDate,
  IsEmail,
  IsInt,
  Min,
  registerDecorator,
  ValidateNested,
} from 'class-validator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attempt, closeApplications, nextEvent, optionsFor, startWith } from './application.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterEach(closeApplications);
afterAll(() => server.stop());

/** A validator that has to ask somebody. */
const IsKnown = (): PropertyDecorator => (target, propertyName) =>
  registerDecorator({
    name: 'isKnown',
    target: target.constructor,
    propertyName: String(propertyName),
    options: { message: '$property is not known' },
    validator: {
      validate: async (value: unknown) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (value === 'c@d.ef') throw new Error('the address book is away');
        return value !== 'stranger@b.cd';
      },
    },
  });

class Line {
  @IsInt()
  @Min(1)
  count: number;
}

class SendEmailDto {
  @IsEmail()
  @IsKnown()
  @Transform(({ value }: { value: string }) => value.toLowerCase())
  to: string;

  @IsDate()
  @Type(() => Date)
  at: Date;

  @ArrayNotEmpty()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines: Line[];

  get subject(): string {
    return `to ${this.to} at ${this.at.getUTCFullYear()}, ${this.lines.length} lines`;
  }
}

const sendEmail = defineTask({ type: 'email.send', queue: 'mail', payload: SendEmailDto });
const importUser = defineTask({
  type: 'user.import',
  payload: z.object({
    age: z.string().transform(Number),
    born: z.iso.date().transform((date) => new Date(date)),
  }),
});

@Injectable()
class Handlers {
  readonly got: unknown[] = [];
  @TaskHandler(sendEmail)
  send(payload: Payload<typeof sendEmail>) {
    this.got.push(payload);
  }
  @TaskHandler(importUser)
  import(payload: Payload<typeof importUser>) {
    this.got.push(payload);
  }
}

const email = (to = 'A@b.cd', counts = [1]) => ({
  to,
  at: '2026-01-02T00:00:00.000Z' as unknown as Date,
  lines: counts.map((count) => ({ count })),
  subject: 'dropped',
  unknown: 'dropped',
});

describe('a payload class', () => {
  it('is checked where the task is enqueued; what is stored is the input', async () => {
    const { app } = await startWith(optionsFor(server, { role: 'producer' }), [Handlers]);
    const producer = app.get(TaskProducer);
    const wrong = { ...email('nobody', [1, 0]), at: 'never' as unknown as Date };
    const refused = await producer.enqueue(sendEmail, wrong).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidPayloadError);
    expect((refused as InvalidPayloadError).issues).toEqual([
      { path: 'to', message: 'must be an email' },
      { path: 'at', message: 'must be a Date instance' },
      { path: 'lines[1].count', message: 'must not be less than 1' },
    ]);
    await expect(producer.enqueue(sendEmail, email('stranger@b.cd'))).rejects.toThrow('to: is not known');
    await expect(producer.enqueue(sendEmail, 'text' as never)).rejects.toThrow('must be an object');
    await expect(producer.enqueue(sendEmail, [] as never)).rejects.toThrow('must be an object');
    await expect(producer.enqueue(sendEmail, { ...email(), to: 7 } as never)).rejects.toThrow(
      'cannot be transformed',
    );

    const { id } = await producer.enqueue(sendEmail, email());
    const task = await app.get(Inspector).find('mail', id);
    expect(JSON.parse(task!.payload)).toEqual(email());
  });

  it('is what the handler gets: transformed, with its methods and without what it does not know', async () => {
    const { app } = await startWith(optionsFor(server), [Handlers]);
    const done = nextEvent(app.get(TaskEvents), 'task.completed');
    const instance = Object.assign(new SendEmailDto(), {
      to: 'A@b.cd',
      at: new Date(0),
      lines: [{ count: 2 }],
    });
    await app.get(TaskProducer).enqueue(sendEmail, instance);
    await done;
    const [payload] = app.get(Handlers).got as [SendEmailDto];
    expect(payload).toBeInstanceOf(SendEmailDto);
    expect(payload.lines[0]).toBeInstanceOf(Line);
    expect(payload).toEqual(
      Object.assign(new SendEmailDto(), { to: 'a@b.cd', at: new Date(0), lines: [{ count: 2 }] }),
    );
    expect(payload.subject).toBe('to a@b.cd at 1970, 1 lines');
    expect(instance.to).toBe('A@b.cd');
  });

  it('kills a stored task that does not fit, at once and without its payload in the log', async () => {
    const { app, log } = await startWith(optionsFor(server), [Handlers]);
    const ending = await attempt(app, 'email.send', { to: 'secret-value', lines: [] }, { queue: 'mail' });
    expect(ending).toMatchObject({ how: 'task.dead', reason: 'invalid-payload', attempt: 1 });
    expect((ending as { error: InvalidPayloadError }).error.issues.map(({ path }) => path)).toEqual([
      'to',
      'at',
      'lines',
    ]);
    expect(app.get(Handlers).got).toEqual([]);
    expect(log.said('is dead (invalid-payload', 'error')).toHaveLength(1);
    expect(log.lines.filter(({ message }) => message.includes('secret-value'))).toEqual([]);
  });

  it('is tried again when it could not be checked', async () => {
    const { app } = await startWith(optionsFor(server), [Handlers]);
    const ending = await attempt(app, 'email.send', email('c@d.ef'), { queue: 'mail' });
    expect(ending).toMatchObject({ how: 'task.retrying', error: { message: 'the address book is away' } });
  });
});

describe('a Standard Schema', () => {
  it('is checked where the task is enqueued and gives the handler its output', async () => {
    const { app } = await startWith(optionsFor(server), [Handlers]);
    const producer = app.get(TaskProducer);
    await expect(producer.enqueue(importUser, { age: '7', born: 'yesterday' })).rejects.toMatchObject({
      issues: [{ path: 'born' }],
    });
    const done = nextEvent(app.get(TaskEvents), 'task.completed');
    await producer.enqueue(importUser, { age: '7', born: '2019-05-06' });
    await done;
    expect(app.get(Handlers).got).toEqual([{ age: 7, born: new Date('2019-05-06') }]);
    expect(await attempt(app, 'user.import', { age: 7 })).toMatchObject({ reason: 'invalid-payload' });
  });
});

describe('a payload of another version', () => {
  const greet = defineTask({
    type: 'greet',
    version: 2,
    payload: z.object({ names: z.array(z.string()) }),
    upgrade: (payload) => ({ names: [(payload as { name: string }).name] }),
  });

  @Injectable()
  class Greeters {
    readonly got: unknown[] = [];
    @TaskHandler(greet, { version: 2 })
    greet(payload: Payload<typeof greet>, task: TaskContext) {
      this.got.push([payload, task.version]);
    }
    @TaskHandler('wave', { version: 3, upgrade: (payload, from) => `${String(payload)} of ${from}` })
    wave(payload: unknown, task: TaskContext) {
      this.got.push([payload, task.version]);
    }
  }

  it('is upgraded for handlers with a contract and for those that say it themselves', async () => {
    const { app } = await startWith(optionsFor(server), [Greeters]);
    const done = nextEvent(app.get(TaskEvents), 'task.completed');
    await app.get(TaskProducer).enqueue(greet, { names: ['Ann', 'Bob'] });
    await done;
    await attempt(app, 'greet', { name: 'Cay' });
    await attempt(app, 'wave', 'hi', { version: 2 });
    await attempt(app, 'wave', 'hi', { version: 3 });
    expect(app.get(Greeters).got).toEqual([
      [{ names: ['Ann', 'Bob'] }, 2],
      [{ names: ['Cay'] }, 1],
      ['hi of 2', 2],
      ['hi', 3],
    ]);
    expect(await attempt(app, 'greet', null)).toMatchObject({
      reason: 'invalid-payload',
      detail: expect.stringContaining('cannot be upgraded from version 1') as string,
    });
  });

  it('that is higher is left to others, and the log says once why', async () => {
    const options = optionsFor(server, { worker: { noHandlerTimeout: 0 } });
    const { app, log } = await startWith(options, [Greeters]);
    const detail = expect.stringMatching(
      /version 4 of type "wave".*the last one asked has version 3/,
    ) as string;
    expect(await attempt(app, 'wave', 'hi', { version: 4 })).toMatchObject({ reason: 'no-handler', detail });
    expect(log.said('version 4 of type "wave"', 'error')).toHaveLength(1);
    expect(app.get(Greeters).got).toEqual([]);
  });
});

describe('the task log', () => {
  @Injectable()
  class Failing {
    @TaskHandler('failing', { maxAttempts: 2 })
    run() {
      throw new RangeError('too\nfar');
    }
  }

  it('has a line per failed attempt: what, which, where, why and what next', async () => {
    const { app, log } = await startWith(optionsFor(server), [Failing]);
    const dead = nextEvent(app.get(TaskEvents), 'task.dead');
    const { id } = await app.get(TaskProducer).enqueue('failing', { key: 'secret-value' });
    await dead;
    expect(log.said('failed', 'warn')).toEqual([
      expect.stringMatching(
        new RegExp(
          `^task "failing" ${id} in "default", attempt 1, failed: RangeError: too far; next attempt in \\d+ ms$`,
        ),
      ),
    ]);
    expect(log.said('is dead', 'error')).toEqual([
      `task "failing" ${id} in "default", attempt 2, is dead ` +
        '(attempts-exhausted: attempt 2 of 2 failed): RangeError: too far',
    ]);
    expect(log.lines.filter(({ message }) => message.includes('secret-value'))).toEqual([]);
  });
});
