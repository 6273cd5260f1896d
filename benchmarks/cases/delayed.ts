import { percentile, latencies } from '../measure/percentiles.js';
import { WallClock } from '../measure/wall-clock.js';
import { payloadOf } from '../payload.js';
import { settled } from './backlog-filler.js';
import type { BenchCase } from './bench-case.js';
import { TIMES } from './bench-case.js';

const PER_SECOND = 500;
const SECONDS = 2.5;
/** Time to enqueue them all before the first is due. */
const AHEAD_MS = 1500;
const CALLERS = 50;
/** Clocks of milliseconds are read on both sides. */
const EARLY_MS = 2;

/** Tasks that come due one after the other; judged on the clock that decides when they are due. */
export const delayed: BenchCase = {
  id: 'delayed-500',
  title: `${PER_SECOND} delayed tasks due per second: how much later than due the handler starts`,
  contenders: ['taskq', 'bullmq', 'groupmq', 'bee-queue'],
  rounds: 2,
  figures: [...TIMES, 'earliestMs'],
  run: async (trial) => {
    const rig = await trial.open({ delays: true });
    const clock = new WallClock();
    const tasks = trial.tasks(PER_SECOND, SECONDS);
    const late = new Float64Array(tasks);
    const first = Math.ceil(clock.now()) + AHEAD_MS;
    const dueAt = (n: number): number => first + Math.floor((n * 1000) / PER_SECOND);
    let started = 0;
    const allStarted = new Promise<void>((over, failed) => {
      const handler = async ({ n }: { readonly n: number }): Promise<void> => {
        late[n] = clock.now() - dueAt(n);
        started += 1;
        if (started === tasks) over();
      };
      rig.work(handler).catch(failed);
    });
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < tasks) {
        const n = next;
        next += 1;
        await rig.enqueueAt!(payloadOf(n), dueAt(n));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    if (clock.now() > first) throw new Error('the first task was due before the last was enqueued');
    await allStarted;
    await settled(rig);
    const earliestMs = percentile(late.toSorted(), 0);
    if (earliestMs < -EARLY_MS) throw new Error(`a task started ${-earliestMs} ms before it was due`);
    return { figures: { ...latencies(late), earliestMs }, tasks };
  },
};
