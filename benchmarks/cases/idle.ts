import { setTimeout as delay } from 'node:timers/promises';
import type { ContenderName } from '../contenders/contender.js';
import { commandsSentWithin, connectionsOf } from '../measure/redis-facts.js';
import type { BenchCase } from './bench-case.js';

/** A worker looks around more often in its first seconds. */
const SETTLE_MS = 7500;
const IDLE_MS = 4000;

/** What a process costs that has workers and no tasks. */
export function idleCase(id: string, queues: number, contenders: readonly ContenderName[]): BenchCase {
  return {
    id,
    title: `one process with a worker for ${queues === 1 ? 'one queue' : `${queues} queues`} and no tasks`,
    contenders,
    rounds: 1,
    figures: ['connections', 'commandsPerSecond'],
    run: async (trial) => {
      const names = Array.from({ length: queues }, (_, i) => `bench-${i}`);
      const rig = await trial.open({ queues: names, slots: 10 });
      await rig.work(async () => undefined);
      await delay(SETTLE_MS);
      const began = performance.now();
      const commands = await commandsSentWithin(trial.admin, IDLE_MS);
      const commandsPerSecond = (commands / (performance.now() - began)) * 1000;
      return { figures: { connections: await connectionsOf(trial.admin), commandsPerSecond }, tasks: 0 };
    },
  };
}
