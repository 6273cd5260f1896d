import type { ContenderName } from '../contenders/contender.js';
import { Meter } from '../measure/meter.js';
import { slowestCommand } from '../measure/redis-facts.js';
import { fill } from './backlog-filler.js';
import { type BenchCase, COST, type Findings } from './bench-case.js';

const WINDOW_S = 0.8;
const WARM_UP = 0.3;
/** Only slower commands are kept, or the log would forget. */
const LOGGED_US = 2000;

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
      await admin.config('SET', 'slowlog-log-slower-than', LOGGED_US, 'slowlog-max-len', 10_000);
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
      const slowest = await slowestCommand(admin);
      return {
        figures: { ...(await meter.figures(tasks)), slowestCommandMs: slowest?.ms ?? LOGGED_US / 1000 },
        tasks,
        note: `slowest command: ${slowest ? slowest.name : `none above ${LOGGED_US / 1000} ms`}`,
      };
    },
  };
}
