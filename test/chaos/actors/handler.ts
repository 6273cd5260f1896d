import { setTimeout as delay } from 'node:timers/promises';
import { type HandlerDefinition, HandlerRegistry, type TaskContext, type TaskEvents } from '@taskq/core';
import type { HistoryWriter } from '../history/history.js';
import type { SinkClient } from '../history/sink.js';
import { TASK_QUEUE, TASK_TYPE, type Todo } from './actor-config.js';
import type { PassPoint } from './crashing-broker.js';

/** What of an engine's announcements about itself is kept. */
export const ENGINE_FACTS = [
  'data.lost',
  'data.lost.more',
  'data.reoffered',
  'queue.recreated',
  'broker.reconnected',
] as const;

/** What of its announcements about tasks is kept. */
const FACTS = [
  'task.completed',
  'task.stale',
  'task.reclaimed',
  'task.dead',
  'task.released',
  'task.stuck',
] as const;

/** Writes down what an engine announces of its tasks. */
export function keepFacts(events: TaskEvents, history: HistoryWriter): void {
  for (const name of FACTS) events.on(name, ({ id }) => history.add({ e: 'fact', name, id }));
}

/** The handler of every task of the laboratory: does what the payload says, and writes start, effect and end. */
export function chaosHandlers(
  history: HistoryWriter,
  sink: SinkClient,
  pass: PassPoint = () => undefined,
  queues: readonly string[] = [TASK_QUEUE],
): HandlerRegistry {
  let starts = 0;
  async function run(todo: Todo, context: TaskContext): Promise<void> {
    const { key } = todo;
    const { id, fence, attempt, signal } = context;
    const start = `${history.by}/${(starts += 1)}`;
    history.add({ e: 'start', key, id, start, fence, attempt });
    pass('handler-start');
    if (todo.kill) process.kill(process.pid, 'SIGKILL');
    if (todo.blockMs) block(todo.blockMs);
    await delay(todo.ms ?? 0, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) {
      history.add({ e: 'end', key, start, how: `aborted: ${(signal.reason as Error).name}` });
      throw signal.reason;
    }
    if (attempt <= (todo.fails ?? 0)) {
      history.add({ e: 'end', key, start, how: 'failed' });
      throw new Error('asked to fail');
    }
    pass('handler-before-effect');
    const answer = await sink.write({ key, start, fence });
    pass('handler-after-effect');
    history.add({ e: 'end', key, start, how: answer });
  }
  const registry = new HandlerRegistry();
  for (const queue of queues) {
    const definition: HandlerDefinition = {
      type: TASK_TYPE,
      where: `chaos ${queue}`,
      options: { queue, backoff: { base: 20, max: 50 } },
      run,
    };
    registry.add(definition);
  }
  return registry;
}

/** Holds the event loop up, as a task that computes does, but leaves the machine's cores to the others. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
