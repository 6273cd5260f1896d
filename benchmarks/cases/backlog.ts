import type { ContenderName } from '../contenders/contender.js';
import { Meter } from '../measure/meter.js';
import { CommandWatch, LOG_FROM_US } from '../../test/chaos/load/commands.js';
import { OWN_NAME, processOf } from '../measure/redis-facts.js';
import { fill } from './backlog-filler.js';
import { type BenchCase, COST, type Findings } from './bench-case.js';

const WINDOW_S = 0.8;
const WARM_UP = 0.3;

/** Processes some tasks while many more wait behind them; what waits stays. */
export function backlogCase(id: string, behind: number, contenders: readonly ContenderName[]): BenchCase {
  return {
    id,
    title: `process: 100 slots, with ${behind.toLocaleString('en')} more tasks ready behind`,
    contenders,
    rounds: 1,
    deadline: 180,
    figures: [...COST, 'slowestCommandMs'],
    run: async (trial): Promise<Findings> => {
      const { admin } = trial;
      const watch = await CommandWatch.begin(admin, { pid: await processOf(admin), own: OWN_NAME });
      const rig = await trial.open();
      const tasks = trial.tasks(trial.contender.pace.process.many, WINDOW_S);
      const warmUp = Math.ceil(tasks * WARM_UP);
      await fill(rig, behind + warmUp + tasks);
      const meter = new Meter(admin);
      let done = 0;
      await new Promise<void>((over, failed) => {
        const handler = async (): Promise<void> => {
          done += 1;
          if (done === warmUp) meter.begin();
          if (done !== warmUp + tasks) return;
          meter.end();
          over();
        };
        rig.work(handler).catch(failed);
      });
      // The worker goes on; the process ends, and with it what was going on.
      const [slowest] = (await watch.endPhase('all')).slow;
      await watch.end();
      return {
        figures: { ...(await meter.figures(tasks)), slowestCommandMs: slowest?.ms ?? LOG_FROM_US / 1000 },
        tasks,
        note: `slowest command: ${slowest?.name ?? `none above ${LOG_FROM_US / 1000} ms`}`,
      };
    },
  };
}
