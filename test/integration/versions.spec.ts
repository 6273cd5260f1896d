import { setTimeout as delay } from 'node:timers/promises';
import { deadLetter, defineTask, type EngineOptions, snooze, type TaskQueue } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { gate, handler, lab, QUEUE, range, SPLIT, watch } from './harness.js';

const here = lab();
const OPTIONS: EngineOptions = { worker: { noHandlerDelay: '100ms' }, queueDefaults: { concurrency: 5 } };

/** What two builds take for a mail: one address, then several. */
const FIRST = defineTask({ type: 'mail', payload: z.object({ n: z.number(), to: z.string() }) });
const SECOND = defineTask({
  type: 'mail',
  version: 2,
  payload: z.object({ n: z.number(), to: z.array(z.string()) }),
  upgrade: (payload) => {
    const { n, to } = payload as { n: number; to: string };
    return { n, to: [to] };
  },
});

/** What is written in `meta` of the one task on the lane. */
/** The meta of the only task; '' where it has none. */
async function storedMeta(): Promise<string> {
  const [[, fields]] = (await here.admin.xrange(here.key(':tasks'), '-', '+')) as [[string, string[]]];
  const at = fields.indexOf('meta');
  return at < 0 ? '' : fields[at + 1]!;
}

/** The story of a task, as its meta has it wherever it stands. */
async function versionSeen({ inspector }: TaskQueue, id: string): Promise<unknown> {
  return (await inspector.find(QUEUE, id))?.meta.version;
}

describe('two builds in one queue', () => {
  it.skipIf(SPLIT)('lose no task and bury none: what one cannot read waits for the other', async () => {
    const first = await here.open(OPTIONS);
    const second = await here.open(OPTIONS);
    const facts = watch(first).listenTo(second.events);
    const ran: { build: number; n: number; to: unknown; version: number }[] = [];
    const secondBegan = gate();
    const run = (build: number) =>
      handler(
        'mail',
        async ({ n, to }: { n: number; to: unknown }, { version }) => {
          ran.push({ build, n, to, version });
          if (build === 1) await secondBegan.passed;
          else if (version === 1) secondBegan.open();
          await delay(1);
        },
        build === 1 ? FIRST : SECOND,
      );
    await here.work(first, run(1));
    const { producer } = second;
    await Promise.all(
      range(200).map((n) =>
        n % 2 === 0
          ? producer.enqueue(FIRST, { n, to: `${n}@b.cd` })
          : producer.enqueue(SECOND, { n, to: [`${n}@b.cd`] }),
      ),
    );
    await facts.until('task.unhandled');
    await here.work(second, run(2));
    await facts.until('task.completed', { count: 200, timeoutMs: 15_000 });

    expect(ran.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(range(200));
    expect(ran.filter(({ n, version }) => version !== (n % 2) + 1)).toEqual([]);
    expect(ran.filter(({ build, version }) => build < version)).toEqual([]);
    for (const { build, n, to } of ran) expect(to).toEqual(build === 1 ? `${n}@b.cd` : [`${n}@b.cd`]);
    for (const build of [1, 2])
      expect(ran.some((one) => one.build === build && one.version === 1)).toBe(true);
    expect(facts.of('task.dead')).toEqual([]);
    expect(facts.of('task.retrying')).toEqual([]);
    for (const fact of facts.of('task.unhandled')) {
      expect(fact).toMatchObject({ attempt: 1, version: 2, handlerVersion: 1 });
    }
    await here.untilEmpty(first);
    expect(await first.inspector.counts(QUEUE)).toMatchObject({ dead: 0 });
  });

  it('of which only the older one is left: a dead letter that names both versions, and can be replayed', async () => {
    const engine = await here.open({ worker: { noHandlerDelay: '100ms', noHandlerTimeout: '300ms' } });
    const facts = watch(engine);
    const { id } = await engine.producer.enqueue(SECOND, { n: 1, to: ['a@b.cd'] });
    const old = await here.work(
      engine,
      handler('mail', () => undefined, FIRST),
    );
    const [dead] = await facts.until('task.dead', { id });

    expect(dead).toMatchObject({ reason: 'no-handler', attempt: 1 });
    expect(dead!.detail).toMatch(/^no worker handled version 2 of type "mail" .* has version 1$/);
    expect(facts.of('task.started')).toEqual([]);
    expect(await versionSeen(engine, id)).toBe(2);

    await old.stop();
    const versions: number[] = [];
    await here.work(
      engine,
      handler('mail', (_payload, { version }) => void versions.push(version), SECOND),
    );
    expect(await engine.inspector.replay(QUEUE, id)).toBe(true);
    await facts.until('task.completed', { id });
    expect(versions).toEqual([2]);
  });
});

describe('the version of a task', () => {
  it('stays with it through retries, snoozes, its death and a replay, and is shown with its meta', async () => {
    const engine = await here.open();
    const facts = watch(engine);
    const versions: number[] = [];
    const { id } = await engine.producer.enqueue('steps', 1, { version: 7, delay: 1 });
    expect(await versionSeen(engine, id)).toBe(7);
    await here.work(
      engine,
      handler(
        'steps',
        (_payload, { version }) => {
          versions.push(version);
          if (versions.length === 1) throw new Error('once');
          if (versions.length === 2) return snooze(1);
          return versions.length === 3 ? deadLetter('enough') : undefined;
        },
        { version: 9 },
      ),
    );
    await facts.until('task.dead', { id });
    expect(await versionSeen(engine, id)).toBe(7);
    expect((await engine.inspector.deadLetters(QUEUE))[0]).toMatchObject({ id });
    await engine.inspector.replay(QUEUE, id);
    await facts.until('task.completed', { id });

    expect(versions).toEqual([7, 7, 7, 7]);
  });

  it.skipIf(SPLIT)('costs nothing where it is the first', async () => {
    const { producer } = await here.open();
    await producer.enqueue('plain', 1, { version: 1 });

    expect(await storedMeta()).toBe('');
  });

  it.skipIf(SPLIT)('is what the contract says, or the call where there is none', async () => {
    const { producer } = await here.open();

    await expect(producer.enqueue(SECOND, { n: 1, to: [] }, { version: 2 } as object)).rejects.toMatchObject({
      problems: ['version belongs to the contract and cannot be given at the call'],
    });
    await expect(producer.enqueue('mail', 1, { version: 1001, queue: 'a b' })).rejects.toMatchObject({
      problems: [expect.stringContaining('queue'), expect.stringContaining('version must be a whole number')],
    });
    await producer.enqueue('mail', 1, { version: 3 });
    expect(await storedMeta()).toBe('{"version":3}');
  });

  it('is part of its payload: the same text in another version is a conflict, or another task', async () => {
    const { producer } = await here.open();
    const pay = (version: number, options: object) =>
      producer.enqueue('pay', { amount: 5 }, { version, ...options });
    const euros = await pay(1, { idempotencyKey: 'order 17' });

    expect(await pay(2, { idempotencyKey: 'order 17' })).toMatchObject({ id: euros.id, status: 'conflict' });
    expect(await pay(1, { idempotencyKey: 'order 17' })).toMatchObject({ id: euros.id, status: 'duplicate' });
    expect(await pay(1, { deduplicate: true })).toMatchObject({ status: 'accepted' });
    expect(await pay(2, { deduplicate: true })).toMatchObject({ status: 'accepted' });
    expect(await pay(2, { deduplicate: true })).toMatchObject({ status: 'duplicate' });
  });

  it.each([0, 1.5, '2'])('that is %j makes the entry malformed', async (version) => {
    const engine = await here.open();
    const facts = watch(engine);
    await here.work(
      engine,
      handler('mail', () => undefined),
    );
    const entry = ['type', 'mail', 'payload', '1', 'meta', JSON.stringify({ version })];
    await here.admin.xadd(here.key(':tasks'), '*', ...entry);
    const [fact] = await facts.until('task.malformed');

    expect(fact!.detail).toContain('"meta.version"');
  });
});
