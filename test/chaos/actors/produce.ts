import { setTimeout as delay } from 'node:timers/promises';
import { EnqueueOutcomeUnknownError, type TaskqError } from '@taskq/core';
import type { HistoryWriter } from '../history/history.js';
import { steadyMs } from '../history/history.js';
import { type Load, TASK_QUEUE, TASK_TYPE, type Todo } from './actor-config.js';
import type { Running } from './running.js';

/** Enqueues until everything is enqueued or it is told to stop. */
export async function produce({ engine, history, config, stopped }: Running): Promise<void> {
  const load = config.load!;
  const queues = load.queues ?? [TASK_QUEUE];
  const over = new AbortController();
  void stopped.then(() => over.abort());
  process.send?.({ fact: 'ready' });
  let next = 0;
  async function caller(): Promise<void> {
    while (!over.signal.aborted && next < (load.count ?? Number.POSITIVE_INFINITY)) {
      const queue = queues[next % queues.length]!;
      const key = `${load.keys}-${next++}`;
      await enqueue(engine.producer, history, key, { ...load, queue });
      if (load.pauseMs > 0) await delay(load.pauseMs);
    }
  }
  await Promise.all(Array.from({ length: load.callers }, caller));
  process.send?.({ fact: 'produced', detail: next });
  await stopped;
}

/** Enqueues one task and writes what became of that. Answers the id if the task is, or may be, there. */
export async function enqueue(
  producer: Running['engine']['producer'],
  history: HistoryWriter,
  key: string,
  {
    work,
    durability,
    insist = true,
    queue = TASK_QUEUE,
  }: Pick<Load, 'work' | 'durability' | 'insist'> & { readonly queue?: string },
): Promise<string | undefined> {
  const { delayMs, ...rest } = work;
  const todo: Todo = { key, ...rest };
  history.add({ e: 'invoke', key });
  const options = {
    queue,
    ...(delayMs && { delay: delayMs }),
    ...(durability && { durability }),
  };
  let id: string | undefined;
  for (;;) {
    const from = steadyMs();
    try {
      const answer = await producer.enqueue(TASK_TYPE, todo, { ...options, ...(id !== undefined && { id }) });
      const { status } = answer;
      history.add({ e: 'accepted', key, id: answer.id, status, tookMs: steadyMs() - from });
      return answer.id;
    } catch (error) {
      const tookMs = steadyMs() - from;
      if (!(error instanceof EnqueueOutcomeUnknownError)) {
        history.add({ e: 'refused', key, reason: reasonOf(error as TaskqError), tookMs });
        return undefined;
      }
      ({ id } = error);
      history.add({ e: 'unknown', key, id, tookMs });
      if (!insist) return id;
    }
  }
}

function reasonOf(error: TaskqError): string {
  return `${error.code} ${(error as { reason?: string }).reason ?? ''}`.trim();
}
