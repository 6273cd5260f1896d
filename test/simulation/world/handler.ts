import {
  deadLetter,
  discard,
  HandlerRegistry,
  NonRetryableError,
  type PayloadSchema,
  snooze,
  type TaskContext,
} from '@taskq/core';
import type { Start, Witness } from '../facts.js';
import type { Behaviour } from '../seed/behaviour.js';
import type { Call } from '../seed/plan.js';
import type { Machine } from './machine.js';

/** What handlers of one process need. */
export interface HandlerParts {
  readonly machine: Machine;
  readonly calls: ReadonlyMap<number, Call>;
  /** Starts of each task so far, by the number of its call: what a start does depends on it. */
  readonly starts: Map<number, number>;
  readonly witness: Witness;
  /** Ends this process at once. */
  readonly kill: () => void;
  /** Holds up the event loop of this process. */
  readonly block: (ms: number) => void;
}

interface Payload {
  readonly n: number;
  readonly wrong?: boolean;
}

/** The handlers of one process, for queues; `types` are those it knows. */
export function handlersFor(
  queues: readonly string[],
  types: readonly string[],
  parts: HandlerParts,
): HandlerRegistry {
  const registry = new HandlerRegistry();
  for (const queue of queues) {
    const running = new Set<object>();
    for (const type of types) {
      registry.add({
        type,
        where: `simulation ${type}`,
        options: { queue },
        ...(type === 'checked' && { payload: CHECKED }),
        run: (payload: Payload, context) => run(payload, context, running, parts),
      });
    }
  }
  return registry;
}

/** A payload that passes when it is enqueued and is refused when it is handled: another release of the same program. */
const CHECKED: PayloadSchema = {
  '~standard': {
    version: 1,
    vendor: 'simulation',
    validate: (value: unknown) =>
      (value as Payload).wrong === true ? { issues: [{ message: 'is wrong' }] } : { value },
  },
};

function run(payload: Payload, context: TaskContext, running: Set<object>, parts: HandlerParts): unknown {
  const { machine, witness, calls, starts } = parts;
  if (!machine.alive) return undefined;
  const before = starts.get(payload.n) ?? 0;
  starts.set(payload.n, before + 1);
  running.add(context);
  const { queue, id, attempt, maxAttempts, fence } = context;
  const start: Start = { queue, id, number: payload.n, attempt, maxAttempts, fence };
  witness({ kind: 'started', by: machine.name, start, running: running.size });
  const behaviour = calls.get(payload.n)?.behaviours[before] ?? COMPLETE;
  const ended = (): void => {
    running.delete(context);
    witness({ kind: 'ended', by: machine.name, start, how: behaviour.does });
  };
  return perform(behaviour, context, parts, ended);
}

const COMPLETE: Behaviour = { does: 'complete', ms: 0 };

function perform(
  { does, ms }: Behaviour,
  context: TaskContext,
  parts: HandlerParts,
  ended: () => void,
): unknown {
  const { machine } = parts;
  const end = (): unknown => {
    ended();
    if (does === 'throw') throw new Error('as planned');
    if (does === 'give up') throw new NonRetryableError('as planned');
    if (does === 'snooze') return snooze(Math.round(ms));
    if (does === 'discard') return discard('as planned');
    return does === 'bury' ? deadLetter('as planned') : undefined;
  };
  switch (does) {
    case 'kill':
      if (ms === 0) parts.kill();
      else machine.later(ms, parts.kill);
      return new Promise(() => {});
    case 'block':
      parts.block(ms);
      return later(machine, 0, end);
    case 'obey':
      return onAbort(context, () => {
        ended();
        throw new Error('told to stop');
      });
    case 'finish late':
      return onAbort(context, () => later(machine, ms / 20, end));
    default:
      return ms === 0 ? end() : later(machine, ms, end);
  }
}

/** Ends after a time, whatever the signal says. */
function later(machine: Machine, ms: number, end: () => unknown): Promise<unknown> {
  return new Promise<void>((resolve) => machine.later(ms, resolve)).then(end);
}

/** Ends when it is told to, by the timeout at the latest. */
function onAbort({ signal }: TaskContext, end: () => unknown): Promise<unknown> {
  if (signal.aborted) return Promise.resolve().then(end);
  return new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  ).then(end);
}
