import { Redis } from 'ioredis';
import { startRedisServer } from '@taskq/testing';
import { TASK_QUEUE } from '../actors/actor-config.js';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import { type Event, steadyMs } from '../history/history.js';
import type { Run } from '../run.js';

const REPORTED_MS = 5000;
const FLOWS_MS = 2000;

/** Somebody deletes everything, or the streams, under running workers. */
export const keysGone: Fault = {
  id: 'G17',
  title: '`FLUSHALL`, or the streams deleted',
  runs: 30,
  short: 2,
  bound: `what was deleted is reported ≤ ${REPORTED_MS} ms; duplicates 0; new tasks flow ≤ ${FLOWS_MS} ms`,
  run: (run) =>
    withoutKeys(run, run.number % 2 === 0 ? 'FLUSHALL' : 'DEL', {
      duplicates: 0,
      mayLose: true,
    }),
};

/** Somebody destroys the consumer group: entries that are being worked on are delivered once more. */
export const groupGone: Fault = {
  id: 'G17-group',
  title: 'consumer group destroyed',
  runs: 30,
  short: 1,
  bound: `lost 0; reported ≤ ${REPORTED_MS} ms; duplicates ≤ what was in flight; new tasks flow ≤ ${FLOWS_MS} ms`,
  run: (run) => withoutKeys(run, 'XGROUP DESTROY', { duplicates: 'in flight', mayLose: false }),
};

async function withoutKeys(
  run: Run,
  how: 'FLUSHALL' | 'DEL' | 'XGROUP DESTROY',
  promised: { readonly duplicates: number | 'in flight'; readonly mayLose: boolean },
): Promise<Observation> {
  const redis = await startRedisServer({ mode: 'test' });
  run.onEnd(() => redis.stop());
  const admin = new Redis(redis.url);
  run.onEnd(() => admin.disconnect());
  const options = run.options(redis.url);
  const engine = await run.engine(options);
  await run.workers(2, options);
  const keys = ['', ':high', ':low'].map((lane) => `${run.prefix}:{${TASK_QUEUE}}:tasks${lane}`);
  await run.enqueue(engine, 30, () => ({ ms: run.dice.between(5, 150) }));
  await run.lasting(run.dice.between(0, 200));
  const at = run.fault(how);
  if (how === 'FLUSHALL') await admin.flushall();
  else if (how === 'DEL') await admin.del(...keys);
  const inFlight = how === 'XGROUP DESTROY' ? await destroyGroups(admin, keys) : 0;
  const before = new Set(run.events().flatMap((event) => (event.e === 'accepted' ? [event.key] : [])));
  const flowFrom = steadyMs();
  await run.enqueue(engine, 10, { ms: 1 });
  await run.untilEmpty(engine);
  await run.lasting(50);
  const verdict = await run.verdict(engine);
  const events = run.events();
  const flows = events.flatMap((event) =>
    event.e === 'start' && event.at > flowFrom && !before.has(event.key) ? [event.at - flowFrom] : [],
  );
  const bounds = new Bounds();
  const lostNew = verdict.lost.filter((key) => !before.has(key));
  bounds.judge(
    verdict,
    {
      duplicates: promised.duplicates === 'in flight' ? inFlight : promised.duplicates,
      lost: promised.mayLose ? Number.POSITIVE_INFINITY : 0,
      recoveryMs: FLOWS_MS,
    },
    flows,
  );
  bounds.hold(lostNew.length === 0, `lost what came afterwards: ${lostNew.join(', ')}`);
  const reported = reports(events, at);
  bounds.hold(reported <= REPORTED_MS, `reported after ${reported} ms`);
  return {
    ...bounds.observed(verdict, flows.slice(0, 1), { [how]: 1, 'deleted by command': verdict.lost.length }),
    lost: promised.mayLose ? lostNew.length : verdict.lost.length,
  };
}

/** Destroys the groups; answers how many entries were leased at that moment: running, ended and on their way, or held. */
async function destroyGroups(admin: Redis, keys: readonly string[]): Promise<number> {
  const commands = admin.multi();
  for (const key of keys) commands.xpending(key, 'workers').xgroup('DESTROY', key, 'workers');
  const answers = (await commands.exec()) ?? [];
  return answers.reduce((sum, [, answer]) => sum + (Array.isArray(answer) ? Number(answer[0]) : 0), 0);
}

/** How long until anybody said that something is gone. */
function reports(events: readonly Event[], at: number): number {
  const told = events.find(
    (event) =>
      event.e === 'fact' && event.at > at && (event.name === 'queue.recreated' || event.name === 'data.lost'),
  );
  return told ? told.at - at : Number.POSITIVE_INFINITY;
}
