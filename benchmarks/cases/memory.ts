import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { ContenderName, Rig } from '../contenders/contender.js';
import { usedMemory } from '../measure/redis-facts.js';
import { payloadOf } from '../payload.js';
import { fill } from './backlog-filler.js';
import type { BenchCase } from './bench-case.js';

/** Tasks before the first look: scripts, buffers and the tables of an empty queue are there then. */
const BEFORE = 1500;
const PATIENCE_MS = 1000;
const LOOK_MS = 100;
const HOUR_MS = 3_600_000;

type State = 'ready' | 'scheduled' | 'active';

/** Redis memory of a task in a state: all keys of the contender, and whatever else Redis needs for it. */
export function memoryCase(state: State, contenders: readonly ContenderName[]): BenchCase {
  return {
    id: `memory-${state}`,
    title: `Redis memory of a task that is ${state}, all keys`,
    contenders,
    rounds: 1,
    figures: ['bytesPerTask'],
    run: async (trial) => {
      // As many can be active as taskq lets a queue have slots: 10,000.
      const tasks = state === 'active' ? 8000 : trial.tasks(50_000, 1);
      const rig = await trial.open({
        delays: state === 'scheduled',
        slots: state === 'active' ? 10_000 : 100,
      });
      const put = await putterOf(rig, state);
      await put(BEFORE);
      const before = await settledMemory(trial.admin);
      await put(tasks);
      const after = await settledMemory(trial.admin);
      const there = await rig.left();
      if (there !== BEFORE + tasks) throw new Error(`${there} tasks are there, not ${BEFORE + tasks}`);
      return { figures: { bytesPerTask: (after - before) / tasks }, tasks };
    },
  };
}

/** How tasks come into a state and stay there. */
async function putterOf(rig: Rig, state: State): Promise<(count: number) => Promise<void>> {
  if (state === 'ready') return (count) => fill(rig, count);
  if (state === 'scheduled') return (count) => schedule(rig, count);
  const seen = { active: 0 };
  await rig.work(() => {
    seen.active += 1;
    return new Promise(() => undefined);
  });
  return async (count) => {
    const wanted = seen.active + count;
    await fill(rig, count);
    while (seen.active < wanted) await delay(10);
  };
}

async function schedule(rig: Rig, count: number): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await rig.enqueueAt!(payloadOf(next), Date.now() + HOUR_MS + next);
    }
  };
  await Promise.all(Array.from({ length: 200 }, caller));
}

/** The least within a while: buffers of connections are given back by and by. */
async function settledMemory(admin: Redis): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const over = performance.now() + PATIENCE_MS;
  while (performance.now() < over) {
    least = Math.min(least, await usedMemory(admin));
    await delay(LOOK_MS);
  }
  return least;
}
