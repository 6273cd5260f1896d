import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { perTask } from '../measure/meter.js';
import { redisCpuMicros } from '../measure/redis-facts.js';
import type { Helper } from '../run/helper.js';
import { fill, settled } from './backlog-filler.js';
import { type BenchCase, COST } from './bench-case.js';

const SECONDS = 1.2;
/** More processes than this do not make it faster on the machines that this is meant for. */
const FASTER = 2;
const LOOK_MS = 50;
/** The window is between these shares of the backlog. */
const FROM = 0.2;
const TO = 0.95;

/** Several processes drain one queue; what they cost is the cost of all of them. */
export function workersCase(id: string, processes: number): BenchCase {
  return {
    id,
    title: `process: ${processes} ${processes === 1 ? 'process' : 'processes'} of 100 slots drain one queue`,
    contenders: ['taskq', 'bullmq', 'ceiling'],
    rounds: 1,
    figures: COST,
    run: async (trial) => {
      const rig = await trial.open();
      const total = trial.tasks(trial.contender.pace.process.many * Math.min(processes, FASTER), SECONDS);
      await fill(rig, total);
      const helpers = Array.from({ length: processes }, () => trial.helper());
      await Promise.all(helpers.map(({ ready }) => ready));
      // All at once: starting a process takes as long as others need for half of the backlog.
      for (const helper of helpers) helper.begin();
      const looks = await watch(trial.admin, helpers, total);
      await settled(rig);
      const done = (await look(trial.admin, helpers)).done;
      if (done !== total) throw new Error(`${done} tasks were done, ${total} were enqueued`);
      const window = windowOf(looks, total);
      return { figures: perTask(window), tasks: window.tasks };
    },
    help: async (trial) => {
      const rig = await trial.open();
      let done = 0;
      return {
        begin: () =>
          rig.work(async () => {
            done += 1;
          }),
        look: () => {
          const { user, system } = process.cpuUsage();
          return { done, nodeMicros: user + system };
        },
      };
    },
  };
}

/** What all helpers had done and cost at a moment. */
interface Look {
  readonly at: number;
  readonly done: number;
  readonly nodeMicros: number;
  readonly redisMicros: number;
}

async function watch(admin: Redis, helpers: readonly Helper[], total: number): Promise<readonly Look[]> {
  const looks: Look[] = [];
  do {
    await delay(LOOK_MS);
    looks.push(await look(admin, helpers));
  } while (looks.at(-1)!.done < total);
  return looks;
}

async function look(admin: Redis, helpers: readonly Helper[]): Promise<Look> {
  const [redisMicros, ...reports] = await Promise.all([
    redisCpuMicros(admin),
    ...helpers.map((helper) => helper.look()),
  ]);
  return {
    at: performance.now(),
    done: reports.reduce((sum, report) => sum + report.done, 0),
    nodeMicros: reports.reduce((sum, report) => sum + report.nodeMicros, 0),
    redisMicros,
  };
}

/** From the first look at which everybody was warm to the last at which nobody can have run out of tasks. */
function windowOf(looks: readonly Look[], total: number): Parameters<typeof perTask>[0] {
  const inside = looks.filter(({ done }) => done >= total * FROM && done <= total * TO);
  const [first, last] = [inside[0], inside.at(-1)];
  if (!first || !last || first === last)
    throw new Error('too few tasks for a window: they were done at once');
  return {
    tasks: last.done - first.done,
    ms: last.at - first.at,
    nodeMicros: last.nodeMicros - first.nodeMicros,
    redisMicros: last.redisMicros - first.redisMicros,
  };
}
