import { deadLetter, HandlerRegistry, type TaskContext } from '@taskq/core';
import { TASK_QUEUE, TASK_TYPE } from '../actors/actor-config.js';
import type { Running } from '../actors/running.js';
import { EFFECT, Ledger, STARTED } from './ledger.js';
import { type LoadTask, onOrder } from './orders.js';

/**
 * A process of several consumers whose handlers wait at a gate: tens of thousands of tasks are active at once and cost
 * nothing but their leases, until the gate is opened.
 */
export async function crowd({ engine, config, stopped }: Running): Promise<void> {
  const { consumers, epochMs, gateOpen } = config.crowd!;
  const ledger = new Ledger(config.folder, config.name, epochMs);
  const gate = new Gate(gateOpen);
  onOrder('gate', ({ open }) => gate.set(open));
  const workers = Array.from({ length: consumers }, () => engine.createWorker(handlers(ledger, gate)));
  await Promise.all(workers.map((worker) => worker.start()));
  process.send?.({ fact: 'ready' });
  await stopped;
  await Promise.all(workers.map((worker) => worker.stop()));
  ledger.close();
}

function handlers(ledger: Ledger, gate: Gate): HandlerRegistry {
  async function run({ number, dies }: LoadTask, { fence }: TaskContext): Promise<unknown> {
    ledger.add(STARTED, number, fence);
    if (dies && fence === 1) return deadLetter('asked to die once');
    await gate.passed();
    ledger.add(EFFECT, number, fence);
    // Nothing may be completed that the ledger does not know.
    await ledger.written();
    return undefined;
  }
  const registry = new HandlerRegistry();
  registry.add({ type: TASK_TYPE, where: 'load', options: { queue: TASK_QUEUE }, run });
  return registry;
}

/** Holds up whoever comes while it is shut. */
class Gate {
  private whenOpen: Promise<void> = Promise.resolve();
  private openUp: (() => void) | undefined;

  constructor(open: boolean) {
    this.set(open);
  }

  set(open: boolean): void {
    if (open) {
      this.openUp?.();
      this.openUp = undefined;
    } else if (!this.openUp) {
      this.whenOpen = new Promise((resolve) => (this.openUp = resolve));
    }
  }

  passed(): Promise<void> {
    return this.whenOpen;
  }
}
