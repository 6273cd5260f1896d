import { fork } from 'node:child_process';
import { Redis } from 'ioredis';
import type { BenchCase, Trial } from './cases/bench-case.js';
import { cases } from './cases/cases.js';
import type { Site } from './contenders/contender.js';
import { contenderNamed } from './contenders/contenders.js';
import { type HelperOrder, HelperProcess } from './run/helper-process.js';
import { OWN_NAME } from './measure/redis-facts.js';
import type { TrialAnswer, TrialOrder } from './run/trial-order.js';

const USUAL = { queues: ['bench'], slots: 100, callers: 100, attempts: 1, delays: false, keepFailed: false };

/** The process of one trial, or another process of it that helps. It answers once, or each time that it is asked. */
async function main(order: TrialOrder): Promise<void> {
  const asked = cases.find(({ id }) => id === order.case)!;
  const trial = trialOf(order);
  if (order.helps) return help(asked, trial);
  const findings = await asked.run(trial);
  await answer({ findings });
  process.exit(0);
}

async function help(asked: BenchCase, trial: Trial): Promise<void> {
  const work = await asked.help!(trial);
  process.on('message', (told: HelperOrder) => {
    if (told === 'begin') void work.begin();
    else process.send!(work.look());
  });
  process.send!('ready');
}

function trialOf(order: TrialOrder): Trial {
  const { host, port, seconds, tasks } = order;
  const contender = contenderNamed(order.contender);
  return {
    contender,
    admin: new Redis({ host, port, connectionName: OWN_NAME }),
    open: (wishes: Partial<Site> = {}) => contender.open({ ...USUAL, host, port, ...wishes }),
    tasks: (perSecond, usual) => tasks ?? Math.max(100, Math.round(perSecond * usual * seconds)),
    helper: () =>
      new HelperProcess(
        fork(process.argv[1]!, [JSON.stringify({ ...order, helps: true } satisfies TrialOrder)]),
      ),
  };
}

/** Resolves when the runner has it. */
function answer(message: TrialAnswer): Promise<void> {
  return new Promise((done) => process.send!(message, () => done()));
}

const fail = async (error: unknown): Promise<void> => {
  await answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(1);
};
// Nobody is there any more who wants to know: the end of a run is the end of its trials, and of those who help them.
process.on('disconnect', () => process.exit(1));
process.on('unhandledRejection', (error) => void fail(error));
main(JSON.parse(process.argv[2]!) as TrialOrder).catch(fail);
