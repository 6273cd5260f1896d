import { Redis } from 'ioredis';
import { startRedisServer } from '@taskq/testing';
import { join } from 'node:path';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import { type Event, steadyMs } from '../history/history.js';
import { appendFile, idsIn } from '../redis/append-file.js';
import { Crew, IN_FLIGHT } from '../redis/crew.js';
import {
  AT_WORK_MS,
  backAtWork,
  DETECTED_MS,
  holdDetected,
  holdNotRefused,
  offeredAgain,
  reallyLost,
  startedIn,
  toldOfLosses,
} from '../redis/findings.js';
import { Tracer } from '../redis/tracer.js';
import type { Run } from '../run.js';

/** How far back `everysec` may go: a second between two syncs, and as long again for one that is slow. */
const EVERYSEC_MS = 2500;

const DETECTED = `each loss told and named ≤ ${DETECTED_MS} ms after Redis answers`;

/** Redis dies and has its disk: with one that is slow, up to two seconds of what it had answered are gone. */
export const redisKilled: Fault = {
  id: 'G11',
  title: 'Redis `kill -9`, `appendfsync everysec`',
  runs: 50,
  short: 1,
  bound: `lost 0 for live producers; ${DETECTED}; at work again ≤ load time + ${AT_WORK_MS} ms`,
  run: (run) => killed(run, { keeps: 'everysec', reofferWindow: '5s' }),
};

export const redisKilledUnprotected: Fault = {
  id: 'G11-no-reoffer',
  title: 'the same, nothing offered again (`producer.reofferWindow: 0`)',
  runs: 50,
  short: 1,
  bound: DETECTED,
  run: (run) => killed(run, { keeps: 'everysec', reofferWindow: 0 }),
};

/** Redis keeps nothing, or a snapshot at best, and dies. */
export const redisKilledVolatile: Fault = {
  id: 'G11-volatile',
  title: 'Redis `kill -9`, nothing kept or one snapshot',
  runs: 50,
  short: 2,
  bound: DETECTED,
  run: (run) => killed(run, { keeps: run.number % 2 === 0 ? 'nothing' : 'snapshot', reofferWindow: 0 }),
};

interface Kill {
  readonly keeps: 'everysec' | 'snapshot' | 'nothing';
  readonly reofferWindow: '5s' | 0;
}

async function killed(run: Run, { keeps, reofferWindow }: Kill): Promise<Observation> {
  const { dice } = run;
  const args = keeps === 'everysec' ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : [];
  const redis = await startRedisServer({ mode: 'test', args });
  run.onEnd(() => redis.stop());
  const crew = await Crew.assemble(run, { options: run.options(redis.url, { producer: { reofferWindow } }) });
  await run.lasting(dice.between(300, 600));
  // While a sync is under way Redis puts off writing: on a busy disk, and here where there is a tracer.
  const trace = join(run.folder, 'strace');
  const slow =
    keeps === 'everysec' ? await Tracer.attach(redis.pid!, trace, { slowSyncMs: 1500 }) : undefined;
  const savedAt = keeps === 'snapshot' ? await snapshot(redis.url) : Number.NEGATIVE_INFINITY;
  await run.lasting(dice.between(300, 1800));
  const at = run.fault('kill -9 Redis');
  await redis.kill();
  await run.lasting(dice.between(0, 1200));
  const kept = keeps === 'everysec' ? idsIn(appendFile(redis)) : new Set<string>();
  const booting = steadyMs();
  await redis.restart();
  const answered = run.fault('Redis answers');
  await run.lasting(dice.between(800, 1300));
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const lost = reallyLost(events, at, (id) => kept.has(id) || savedIn(events, id, savedAt));
  const recoveryMs = [backAtWork(events, answered).completed];
  const goesBackMs = keeps === 'everysec' ? EVERYSEC_MS : Number.POSITIVE_INFINITY;
  const mayLose = reofferWindow === 0;
  bounds.judge(
    verdict,
    {
      duplicates: IN_FLIGHT + startedIn(events, at, goesBackMs),
      recoveryMs: AT_WORK_MS,
      lost: mayLose ? Number.POSITIVE_INFINITY : 0,
    },
    recoveryMs,
  );
  const late = verdict.lost.filter((key) =>
    events.some((one) => one.e === 'accepted' && one.key === key && one.at > answered),
  );
  bounds.hold(late.length === 0, `lost what was accepted afterwards: ${late.join(', ')}`);
  holdNotRefused(bounds, events);
  holdDetected(bounds, events, lost, { killed: at, answered });
  const gone = [...lost.values()].flat().length;
  return {
    ...bounds.observed(verdict, recoveryMs, {
      'tasks accepted': verdict.accepted,
      'tasks Redis lost': gone,
      'runs with a loss': gone > 0 ? 1 : 0,
      'losses told': toldOfLosses(events, at).length,
      'offered again': offeredAgain(events),
      ...(slow && { 'runs with a slow disk': 1 }),
      'ms to load': Math.round(answered - booting),
      ...(mayLose && { 'lost for good, and told': verdict.lost.length }),
    }),
    lost: mayLose ? late.length : verdict.lost.length,
  };
}

/** Saves, and answers when that began: what was accepted before is kept. */
async function snapshot(url: string): Promise<number> {
  const admin = new Redis(url);
  const began = steadyMs();
  await admin.save();
  admin.disconnect();
  return began;
}

function savedIn(events: readonly Event[], id: string, savedAt: number): boolean {
  return events.some((event) => event.e === 'accepted' && event.id === id && event.at < savedAt);
}
