import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { connectionsOf, factOf } from '../measure/redis-facts.js';
import type { BenchCase } from './bench-case.js';

const SETTLE_MS = 1500;
const IDLE_MS = 3000;

/** What a process costs that has workers and no tasks. */
export function idleCase(id: string, queues: number): BenchCase {
  return {
    id,
    title: `one process with a worker for ${queues === 1 ? 'one queue' : `${queues} queues`} and no tasks`,
    contenders: ['taskq', 'bullmq', 'groupmq', 'bee-queue'],
    rounds: 1,
    figures: ['connections', 'commandsPerSecond'],
    run: async (trial) => {
      const names = Array.from({ length: queues }, (_, i) => `bench-${i}`);
      const rig = await trial.open({ queues: names, slots: 10 });
      await rig.work(async () => undefined);
      await delay(SETTLE_MS);
      const before = await commandsSoFar(trial.admin);
      const began = performance.now();
      await delay(IDLE_MS);
      // The question before is in the answer after.
      const commands = (await commandsSoFar(trial.admin)) - before - 1;
      const commandsPerSecond = (commands / (performance.now() - began)) * 1000;
      return { figures: { connections: await connectionsOf(trial.admin), commandsPerSecond }, tasks: 0 };
    },
  };
}

async function commandsSoFar(admin: Redis): Promise<number> {
  return factOf(await admin.info('stats'), 'total_commands_processed');
}
