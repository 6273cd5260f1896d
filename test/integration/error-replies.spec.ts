import {
  BrokerError,
  type EngineOptions,
  type EnqueueResult,
  type Logger,
  type TaskQueue,
} from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { engineScripts } from '../chaos/proxy/engine-scripts.js';
import { type CommandMatch, FaultProxy, type RuleHandle } from '../chaos/proxy/fault-proxy.js';
import { type Answer, ANSWERS, engineReactions, type Reaction } from './error-answers.js';
import type { Facts } from './facts.js';
import { handler, lab, lasting, range, watch } from './harness.js';

const here = lab({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });

const REACTIONS: readonly Reaction[] = ['retry', 'reconnect', 'repair', 'refuse', 'report'];

/** Whoever calls hears nothing of these: the call is repeated, or what it lacks is made. */
const PASSES: ReadonlySet<Reaction> = new Set(['retry', 'reconnect', 'repair']);

/** Errors of a queue on its way to another server: in place, a call is repeated. */
const ON_ITS_WAY: ReadonlySet<string> = new Set(['ASK', 'TRYAGAIN']);

/** Errors that a reader mends by making groups. */
const GROUPS_GONE: ReadonlySet<string> = new Set(['NOGROUP', 'UNBLOCKED']);

/** Errors of a server that is a replica by now, which is left. */
const DEMOTED: ReadonlySet<string> = new Set(['READONLY', 'MASTERDOWN']);

/** An engine behind a proxy that answers with one code. */
interface Stage {
  readonly answer: Answer;
  readonly engine: TaskQueue;
  readonly facts: Facts;
  readonly proxy: FaultProxy;
  readonly logged: string[];
  /** Answers the next of these with the code; `what` stands in the sentence. */
  readonly inject: (what: string, match: CommandMatch) => RuleHandle;
}

async function stage(answer: Answer, options: EngineOptions = {}): Promise<Stage> {
  const proxy = here.track(await FaultProxy.start(here.server.connection, { scripts: engineScripts() }));
  const logged: string[] = [];
  const log = (message: string): unknown => logged.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const engine = await here.open(
    {
      prefix: `${here.prefix}-${answer.code}`,
      ...options,
      redis: { url: proxy.url, commandTimeout: '1s', persistence: 'ignore' },
      worker: { block: '100ms', ...options.worker },
    },
    { logger },
  );
  const inject = (what: string, match: CommandMatch): RuleHandle =>
    proxy.replyWith({ match, error: `${answer.says} (${what})` });
  return { answer, engine, facts: watch(engine), proxy, logged, inject };
}

/** Plays with every code of a reaction at once, and says which went wrong and how. */
async function each(reaction: Reaction, play: (answer: Answer) => Promise<void>): Promise<void> {
  const answers = ANSWERS.filter((answer) => answer.reaction === reaction);
  const played = await Promise.allSettled(answers.map(play));
  const wrong = played.flatMap((one, i) =>
    one.status === 'rejected' ? [`${answers[i]!.code}: ${String((one.reason as Error).stack)}`] : [],
  );
  expect(wrong).toEqual([]);
}

type Outcome<T> = { readonly value: T; readonly error?: undefined } | { readonly error: BrokerError };

function outcome<T>(call: Promise<T>): Promise<Outcome<T>> {
  return call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as BrokerError }),
  );
}

/** What an error says of itself. */
function told({ error }: Outcome<unknown>) {
  return error && { code: error.code, reason: error.reason, retryable: error.retryable, fix: error.fix };
}

/** What the table has it say. */
function tellsOf({ code, reaction, advice }: Answer) {
  const some: unknown = expect.stringContaining(advice ?? '');
  const fix = advice === undefined ? undefined : some;
  return { code: 'TASKQ_BROKER', reason: code, retryable: PASSES.has(reaction), fix };
}

/** Asks again while the link is being led elsewhere. */
function whenBack<T>(call: () => Promise<T>): Promise<T> {
  return waitFor(async () => ({ value: await call() }), { what: 'an answer' }).then(({ value }) => value);
}

/** Enqueues under an error that is answered before anything is written, then without. */
async function enqueueUnder(world: Stage, rule: RuleHandle, id: string, options = {}): Promise<void> {
  const { answer, engine } = world;
  const enqueue = (): Promise<EnqueueResult> => engine.producer.enqueue('quick', id, { id, ...options });
  const first = await outcome(enqueue());
  await rule.done;
  const passes = PASSES.has(answer.reaction);

  expect(told(first)).toEqual(passes ? undefined : tellsOf(answer));
  expect((await whenReady(() => engine.broker.find('default', id)))?.state).toBe(
    passes ? 'ready' : undefined,
  );
  expect((await enqueue()).status).toBe(passes ? 'duplicate' : 'accepted');
}

/** Answers as a Redis 7.2 whose disk is fast; what is injected before comes first. */
function knowsWaitAof(proxy: FaultProxy): void {
  const always = Number.POSITIVE_INFINITY;
  proxy.replyWith({
    match: { command: 'COMMAND' },
    times: always,
    raw: '*1\r\n*2\r\n$7\r\nwaitaof\r\n:4\r\n',
  });
  proxy.replyWith({ match: { command: 'WAITAOF' }, times: always, raw: '*2\r\n:1\r\n:0\r\n' });
}

describe('the table of codes', () => {
  it('is the one that is written down here: no code without an expectation', () => {
    const foreseen = ANSWERS.filter(({ reaction }) => reaction !== 'report');

    expect(Object.fromEntries(engineReactions())).toEqual(
      Object.fromEntries(foreseen.map(({ code, reaction }) => [code, reaction])),
    );
  });
});

describe.each(REACTIONS)('every code of which the table says "%s", answered once', (reaction) => {
  it('to a producer: the task is written once, or refused and not written', async () => {
    await each(reaction, async (answer) => {
      const world = await stage(answer);
      await enqueueUnder(world, world.inject('enqueue', { script: 'enqueue' }), 'a');

      expect((await world.engine.inspector.counts('default')).ready.normal).toBe(1);
      expect(world.facts.of('broker.reconnected').length > 0).toBe(DEMOTED.has(answer.code));
    });
  });

  it('to a producer that asks what became of a task: it finds out, at the next call at the latest', async () => {
    await each(reaction, async (answer) => {
      const { engine, proxy, inject } = await stage(answer, { producer: { timeout: '1500ms' } });
      const lost = proxy.dropReply({ match: { script: 'enqueue' }, times: Number.POSITIVE_INFINITY });
      const enqueue = (): Promise<EnqueueResult> => engine.producer.enqueue('quick', 1, { id: 'a' });
      expect((await outcome(enqueue())).error?.code).toBe('TASKQ_ENQUEUE_OUTCOME_UNKNOWN');
      lost.remove();
      const asked = inject('resolve', { script: 'resolve' });
      const second = await outcome(whenReady(enqueue));
      await asked.done;

      expect(told(second) === undefined || !PASSES.has(reaction)).toBe(true);
      expect(await enqueue()).toMatchObject({ status: 'duplicate' });
      expect((await engine.inspector.counts('default')).ready.normal).toBe(1);
    });
  });

  it('to a producer that wants it on disk: never said to be there when nobody knows', async () => {
    await each(reaction, async (answer) => {
      const durable = { durability: 'durable' } as const;
      const world = await stage(answer);
      // Asked before anything is written: what the server can give.
      const asked = world.inject('facts', ({ command, args, link }) => {
        return command === 'INFO' && link === 'taskq:commands' && String(args[0]) === 'persistence';
      });
      knowsWaitAof(world.proxy);
      await enqueueUnder(world, asked, 'a', durable);

      for (const [id, match] of [
        ['b', { script: 'confirm' }],
        ['c', { command: 'WAITAOF' }],
      ] as const) {
        // Another engine, so that nothing is on its way that another answer could befall.
        const { engine, proxy, inject } = await stage(answer);
        const waited = inject(id, match);
        knowsWaitAof(proxy);
        const enqueue = (): Promise<EnqueueResult> =>
          engine.producer.enqueue('quick', id, { id, ...durable });
        const first = await outcome(enqueue());
        await waited.done;
        const unknown = { error: { code: 'TASKQ_ENQUEUE_OUTCOME_UNKNOWN' } };
        expect(first).toMatchObject(PASSES.has(reaction) ? { value: durable } : unknown);
        expect(await enqueue()).toMatchObject({ status: 'duplicate', durability: 'durable' });
      }
      expect((await world.engine.inspector.counts('default')).ready.normal).toBe(3);
    });
  });

  it('to a worker: everything it holds runs once and is completed, and the log says what was wrong', async () => {
    await each(reaction, playWorker);
  });

  it('to whoever looks at a queue: it is thrown as the table says, and the next look succeeds', async () => {
    await each(reaction, playInspector);
  });
});

describe('a right that is missing inside a script', () => {
  it('is refused as one that is missing outside, with the same advice, and is enough to have it back', async () => {
    await here.admin.call('ACL', 'SETUSER', 'weak', 'on', '>pw', '~*', '&*', '+@all', '-xadd', '-xack');
    const engine = await here.open({ redis: { username: 'weak', password: 'pw', persistence: 'ignore' } });
    const refused = await outcome(engine.producer.enqueue('quick', 1));
    expect(told(refused)).toEqual(tellsOf(ANSWERS.find(({ code }) => code === 'NOPERM')!));

    await here.admin.call('ACL', 'SETUSER', 'weak', '+xadd');
    expect(await engine.producer.enqueue('quick', 1)).toMatchObject({ status: 'accepted' });
  });
});

/** A call that is not sent at all while the link is being made again. */
async function whenReady<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof BrokerError) || !/not connected/.test(error.message)) throw error;
    }
  }
}

/** What a worker sends, and how its log begins when that is answered with an error. */
interface WorkerVerb {
  readonly what: string;
  readonly match: CommandMatch;
  readonly logs: string;
  /** Repeated in place, or mended, so that nothing is logged. */
  readonly quiet: (code: string) => boolean;
  /** It leaves together with another, whose error would hide its own: answered so after all others. */
  readonly after?: boolean;
}

const script = (what: string, logs: string, quiet: (code: string) => boolean = () => false): WorkerVerb => ({
  what,
  match: { script: what },
  logs,
  quiet: (code) => code === 'NOSCRIPT' || quiet(code),
});

const READING = 'reading failed, trying again: ';

const WORKER_VERBS: readonly WorkerVerb[] = [
  script('settle', 'queue "default": settling failed, trying again (', (code) => ON_ITS_WAY.has(code)),
  script('extend', 'leases could not be renewed, trying again: BrokerError: '),
  script('reclaim', 'reclaimer: '),
  script('due', 'promoter: '),
  script('promote', 'promoter: '),
  { ...script('eras', READING, (code) => GROUPS_GONE.has(code)), after: true },
  {
    what: 'XREADGROUP',
    match: { command: 'XREADGROUP' },
    logs: READING,
    quiet: (code) => GROUPS_GONE.has(code),
  },
  {
    what: 'CLIENT ID',
    match: ({ command, args }) => command === 'CLIENT' && String(args[0]).toUpperCase() === 'ID',
    logs: READING,
    quiet: (code) => GROUPS_GONE.has(code),
  },
];

async function playWorker(answer: Answer): Promise<void> {
  const { engine, facts, proxy, logged, inject } = await stage(answer);
  const rules = WORKER_VERBS.filter(({ after }) => !after).map(({ what, match }) => inject(what, match));
  const starts = new Map<string, number>();
  const counting =
    (run: () => unknown) =>
    (_payload: unknown, { id }: { id: string }) => {
      starts.set(id, (starts.get(id) ?? 0) + 1);
      return run();
    };
  const enqueue = engine.producer.enqueue.bind(engine.producer);
  const accepted = await Promise.all([
    ...range(5).map((n) => enqueue('quick', n)),
    enqueue('quick', 'later', { delay: 300 }),
    enqueue('slow', 1),
  ]);
  const worker = await here.work(
    engine,
    handler(
      'quick',
      counting(() => undefined),
    ),
    handler(
      'slow',
      counting(() => lasting(800)),
    ),
  );
  await Promise.all(rules.map(({ done }) => done));
  for (const { what, match } of WORKER_VERBS.filter(({ after }) => after)) {
    const rule = inject(what, match);
    // Asked only when a wait brings a task; one that arrives with a settlement is fetched by that.
    for (let n = 0; rule.count === 0; n += 1) {
      accepted.push(await enqueue('quick', `${what} ${n}`));
      await lasting(50);
    }
  }
  // Asked anew whenever a link was lost: which data it is, and what is missing of it.
  const again = ['ensure', 'data-set'].map((what) => inject(what, { script: what }));
  proxy.resetAll();
  await Promise.all(again.map(({ done }) => done));
  accepted.push(await whenReady(() => enqueue('quick', 'last')));
  await facts.until('task.completed', { count: accepted.length, timeoutMs: 10_000 });
  const goodbye = inject('remove-consumer', { script: 'remove-consumer' });
  const { tookMs } = await worker.stop();

  expect(goodbye.count).toBe(1);
  expect(tookMs).toBeLessThan(5000);
  expect(accepted.map(({ status }) => status)).toEqual(accepted.map(() => 'accepted'));
  expect(Object.fromEntries(starts)).toEqual(Object.fromEntries(accepted.map(({ id }) => [id, 1])));
  expect(facts.of('task.completed')).toHaveLength(accepted.length);
  expect(facts.of('data.lost')).toEqual([]);
  const missing = WORKER_VERBS.filter(({ what, logs, quiet }) => {
    const line = `${logs}Redis answered: ${answer.says} (${what})`;
    return !quiet(answer.code) && !logged.some((one) => one.startsWith(line));
  });
  expect(missing).toEqual([]);
}

/** What is looked at and changed by hand; all of them end with nothing found. */
type Look = readonly [what: string, match: CommandMatch, look: (engine: TaskQueue) => Promise<unknown>];

const LOOKS: readonly Look[] = [
  ['counts', { script: 'counts' }, ({ broker }) => broker.counts('default')],
  ['XINFO', { command: 'XINFO' }, ({ broker }) => broker.listConsumers('default')],
  ['XRANGE', { command: 'XRANGE' }, ({ broker }) => broker.listDeadLetters('default', '', 10)],
  ['ZRANGE', { command: 'ZRANGE' }, ({ broker }) => broker.listScheduled('default', 0, 10)],
  ['HMGET', { command: 'HMGET' }, ({ broker }) => broker.listScheduled('default', 0, 10)],
  ['HGET', { command: 'HGET' }, ({ broker }) => broker.find('default', 'ready')],
  ['XPENDING', { command: 'XPENDING' }, ({ broker }) => broker.find('default', 'ready')],
  ['ZSCORE', { command: 'ZSCORE' }, ({ broker }) => broker.find('default', 'later')],
  ['replay', { script: 'replay' }, ({ broker }) => broker.replay('default', [{ entryId: '1-1', id: 'x' }])],
  [
    'delete-dead',
    { script: 'delete-dead' },
    ({ broker }) => broker.deleteDeadLetters('default', [{ entryId: '1-1', id: 'x' }]),
  ],
  ['PING', { command: 'PING' }, ({ broker }) => broker.ping()],
  ['ensure', { script: 'ensure' }, ({ broker }) => broker.ensureQueue('default')],
];

/** Where there is no group there is nobody and nothing to list. */
const WITHOUT_GROUP: ReadonlySet<string> = new Set(['XINFO', 'XPENDING']);

async function playInspector(answer: Answer): Promise<void> {
  const { engine, inject } = await stage(answer);
  await engine.producer.enqueue('quick', 1, { id: 'ready' });
  await engine.producer.enqueue('quick', 1, { id: 'later', delay: '1h' });
  for (const [what, match, look] of LOOKS) {
    const { code } = answer;
    const isScript = typeof match === 'object' && match.script !== undefined;
    const inPlace = (ON_ITS_WAY.has(code) && what !== 'PING') || (isScript && code === 'NOSCRIPT');
    const rule = inject(what, match);
    const looked = await outcome(look(engine));
    await rule.done;
    const passes = inPlace || (code === 'NOGROUP' && WITHOUT_GROUP.has(what));
    // Nobody asked for a queue there, so none has moved.
    const meant = what === 'PING' && code === 'MOVED' ? { ...answer, advice: undefined } : answer;
    expect([what, told(looked)]).toEqual([what, passes ? undefined : tellsOf(meant)]);
    await whenBack(() => look(engine));
  }
}
