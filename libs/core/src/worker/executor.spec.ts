import { describe, expect, it } from 'vitest';
import type { Delivery } from '../broker/broker.js';
import { InvalidPayloadError, WorkerShutdownError } from '../contract/errors.js';
import { PayloadParsers } from '../contract/payload-parsers.js';
import type { StandardSchema } from '../contract/payload-schema.js';
import type { TaskContext } from '../contract/task-context.js';
import type { ContractOptions } from '../contract/task-contract.js';
import { encodeMeta } from '../contract/task-message.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { Partitions } from '../policy/partitions.js';
import type { ExecutionResult } from '../policy/outcome.js';
import { systemClock } from '../runtime/clock.js';
import type { Execution } from './execution.js';
import { Executor } from './executor.js';
import { HandlerRegistry } from './handler-registry.js';
import type { ConsumerParts } from './worker-parts.js';

interface Mail {
  readonly to: readonly string[];
}

/** Takes the payload of version 2, and says what it was asked. */
class MailSchema implements StandardSchema<Mail> {
  readonly asked: unknown[] = [];
  readonly '~standard' = {
    version: 1,
    vendor: 'spec',
    validate: (value: unknown) => {
      this.asked.push(value);
      return Array.isArray((value as { to?: unknown } | undefined)?.to)
        ? { value: value as Mail }
        : { issues: [{ message: 'must be a list', path: ['to'] }] };
    },
  } as const;
}

const OLD = { to: 'a@b.cd' };
const NEW = { to: ['a@b.cd'] };
const toList = (payload: unknown) => ({ to: [(payload as typeof OLD).to] });

/** An executor with one handler, and what it told: how deliveries ended, and what the handler was given. */
class Bench {
  readonly schema = new MailSchema();
  readonly results: ExecutionResult[] = [];
  readonly malformed: string[] = [];
  execution: Execution | undefined;
  readonly given: { readonly payload: unknown; readonly version: number }[] = [];
  private readonly executor: Executor;

  constructor(options: ContractOptions, checked = true) {
    const registry = new HandlerRegistry();
    registry.add({
      type: 'mail',
      where: 'spec',
      options,
      payload: checked ? this.schema : undefined,
      run: (payload, { version }: TaskContext) => void this.given.push({ payload, version }),
    });
    const parts: Partial<ConsumerParts> = {
      ...{ registry, parsers: new PayloadParsers(), options: resolveEngineOptions() },
      partitions: new Partitions(resolveEngineOptions()),
      ...{ clock: systemClock, consumer: 'w' },
    };
    this.executor = new Executor('default', parts as ConsumerParts, {
      malformed: (_delivery, error) => void this.malformed.push(error.message),
      started: (execution) => (this.execution = execution),
      refused: (_delivery, _message, result) => void this.results.push(result),
      ended: (_execution, result) => void this.results.push(result),
    });
  }

  /** Delivers one task; `version` is left out of `meta` where it is not given. */
  deliver(payload: unknown, version?: number): void {
    const fields = ['type', 'mail', 'payload', JSON.stringify(payload), 'meta', encodeMeta({ version })];
    const delivery: Delivery = {
      ...{ queue: 'default', lane: 'normal', entryId: '1-0', delivery: 1, era: 0 },
      fields,
    };
    this.executor.run(delivery);
  }

  /** Lets promises that are under way go on. */
  async settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const RETURNED = [{ kind: 'returned', value: undefined }];

/** The one refusal of a payload. */
function refusalOf({ results }: Bench): InvalidPayloadError {
  expect(results).toEqual([{ kind: 'invalid-payload', error: expect.any(InvalidPayloadError) as Error }]);
  return (results[0] as { error: InvalidPayloadError }).error;
}

describe('a payload of a later version', () => {
  it('is not looked at: the task counts as one without a handler, and both versions are known', () => {
    const bench = new Bench({});
    bench.deliver('no mail at all', 2);

    expect(bench.results).toEqual([{ kind: 'no-handler', handlerVersion: 1 }]);
    expect(bench.schema.asked).toEqual([]);
    expect(bench.given).toEqual([]);
  });

  it('is none where the handler has that version', () => {
    const bench = new Bench({ version: 2, upgrade: () => 'must not be called' });
    bench.deliver(NEW, 2);

    expect(bench.results).toEqual(RETURNED);
    expect(bench.given).toEqual([{ payload: NEW, version: 2 }]);
  });
});

describe('a payload of the first version', () => {
  it('is handled in the turn in which it comes, whether or not the version is written', () => {
    const bench = new Bench({});
    bench.deliver(NEW);
    bench.deliver(NEW, 1);

    expect(bench.results).toEqual([...RETURNED, ...RETURNED]);
    expect(bench.given).toEqual([
      { payload: NEW, version: 1 },
      { payload: NEW, version: 1 },
    ]);
  });

  it.each([0, -1, 1.5, '2', null])('is not meant by the version %j: the entry is no task', (version) => {
    const bench = new Bench({});
    bench.deliver(NEW, version as number);

    expect(bench.malformed).toEqual([expect.stringContaining('"meta.version"')]);
    expect(bench.results).toEqual([]);
  });
});

describe('a payload of an earlier version', () => {
  it('is upgraded before the schema sees it, by what knows its version; the context says which it was', () => {
    const seen: unknown[] = [];
    const bench = new Bench({
      version: 3,
      upgrade: (payload, from) => {
        seen.push([payload, from]);
        return toList(payload);
      },
    });
    bench.deliver(OLD);
    bench.deliver(OLD, 2);

    expect(seen).toEqual([
      [OLD, 1],
      [OLD, 2],
    ]);
    expect(bench.schema.asked).toEqual([NEW, NEW]);
    expect(bench.given).toEqual([
      { payload: NEW, version: 1 },
      { payload: NEW, version: 2 },
    ]);
    expect(bench.results).toEqual([...RETURNED, ...RETURNED]);
  });

  it('is waited for where the upgrade answers later', async () => {
    const bench = new Bench({ version: 2, upgrade: (payload) => Promise.resolve(toList(payload)) });
    bench.deliver(OLD);
    expect(bench.results).toEqual([]);
    await bench.settled();

    expect(bench.given).toEqual([{ payload: NEW, version: 1 }]);
    expect(bench.results).toEqual(RETURNED);
  });

  it('does not start its handler when the task was handed back while it was waited for', async () => {
    const bench = new Bench({ version: 2, upgrade: (payload) => Promise.resolve(toList(payload)) });
    bench.deliver(OLD);
    bench.execution!.abort(new WorkerShutdownError('stop'));
    await bench.settled();

    expect(bench.given).toEqual([]);
    expect(bench.results).toEqual([{ kind: 'interrupted' }]);
  });

  it('is what the upgrade made of it where there is no schema', () => {
    const bench = new Bench({ version: 2, upgrade: toList }, false);
    bench.deliver(OLD);

    expect(bench.given).toEqual([{ payload: NEW, version: 1 }]);
  });

  it('goes to the schema as it is where there is no upgrade', () => {
    const bench = new Bench({ version: 2 });
    bench.deliver(NEW);
    bench.deliver(OLD);

    expect(bench.given).toEqual([{ payload: NEW, version: 1 }]);
    expect(bench.results).toMatchObject([RETURNED[0], { kind: 'invalid-payload' }]);
  });

  const failure = new TypeError('there is no address');
  it.each([
    [
      'throws',
      () => {
        throw failure;
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ])('is invalid when the upgrade %s', async (_, upgrade) => {
    const bench = new Bench({ version: 2, upgrade });
    bench.deliver(OLD);
    await bench.settled();

    const refusal = refusalOf(bench);
    expect(refusal.message).toBe(
      'payload of "mail" is invalid: cannot be upgraded from version 1: there is no address',
    );
    expect(refusal.cause).toBe(failure);
    expect(bench.schema.asked).toEqual([]);
    expect(bench.given).toEqual([]);
  });

  it.each([() => undefined, () => OLD, async () => OLD])(
    'is invalid when the upgrade makes of it what the schema refuses',
    async (upgrade) => {
      const bench = new Bench({ version: 2, upgrade });
      bench.deliver({ other: 1 });
      await bench.settled();

      expect(refusalOf(bench).issues).toEqual([{ path: 'to', message: 'must be a list' }]);
      expect(bench.given).toEqual([]);
    },
  );
});
