import { EnqueueOutcomeUnknownError } from '@taskq/core';
import { TASK_QUEUE, TASK_TYPE } from '../actors/actor-config.js';
import type { Running } from '../actors/running.js';
import { steadyMs } from '../history/history.js';
import { ACCEPTED, Ledger } from './ledger.js';
import { DUE_SPREAD_MS, type Filled, type Filling, type LoadTask, onOrder } from './orders.js';

/** Callers at once: enough to fill two groups of the producer. */
const CALLERS = 400;

/** A process that enqueues what it is told to, and writes down what was accepted. */
export async function filler(running: Running): Promise<void> {
  const { config, stopped } = running;
  const ledger = new Ledger(config.folder, config.name, config.filler!.epochMs);
  onOrder('fill', (order) => {
    fill(running, ledger, order).then(
      (filled) => process.send?.({ fact: `filled ${order.name}`, detail: { name: order.name, ...filled } }),
      (error: unknown) => process.send?.({ fact: `filled ${order.name}`, detail: { error: String(error) } }),
    );
  });
  process.send?.({ fact: 'ready' });
  await stopped;
  ledger.close();
}

async function fill(running: Running, ledger: Ledger, filling: Filling): Promise<Omit<Filled, 'name'>> {
  const { from, count } = filling;
  const began = steadyMs();
  const wanted = new Set([from, from + Math.floor(count / 2), from + count - 1]);
  const ids: string[] = [];
  let next = from;
  async function caller(): Promise<void> {
    while (next < from + count) {
      const number = next;
      next += 1;
      const id = await enqueue(running, filling, number);
      ledger.add(ACCEPTED, number);
      if (wanted.has(number)) ids.push(id);
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller));
  await ledger.written();
  return { ids, tookMs: steadyMs() - began };
}

/** Enqueues one task, again if need be, until it is known to be there. */
async function enqueue({ engine }: Running, { dies, dueAt }: Filling, number: number): Promise<string> {
  const task: LoadTask = { number, ...(dies && { dies }) };
  const options = {
    queue: TASK_QUEUE,
    ...(dueAt !== undefined && { runAt: dueAt + (number % DUE_SPREAD_MS) }),
  };
  let id: string | undefined;
  for (;;) {
    try {
      const answer = await engine.producer.enqueue(TASK_TYPE, task, {
        ...options,
        ...(id !== undefined && { id }),
      });
      return answer.id;
    } catch (error) {
      if (!(error instanceof EnqueueOutcomeUnknownError)) throw error;
      ({ id } = error);
    }
  }
}
