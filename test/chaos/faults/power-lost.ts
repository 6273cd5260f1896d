import { join } from 'node:path';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import { steadyMs } from '../history/history.js';
import { appendFile, cutAt, endOfLast, idsIn, sizeOf } from '../redis/append-file.js';
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

/** The longest time between two syncs of `everysec`, and a little. */
const UNSYNCED_MS = 2500;

/** How often the size of the file is looked at where no tracer can be had. */
const LOOK_EVERY_MS = 20;

/**
 * The machine loses power: what was written to the file but not synced to disk is gone, all of it or a part. Emulated:
 * the server is killed and its file cut somewhere between the last sync and its end.
 */
export const powerLost: Fault = {
  id: 'G12',
  title: 'power loss, level `durable` (`appendfsync always`)',
  runs: 50,
  short: 1,
  bound: `lost 0 of those answered as durable; duplicates ≤ ${IN_FLIGHT} in flight; at work again ≤ load time + ${AT_WORK_MS} ms`,
  run: (run) => withoutPower(run, { level: 'durable', fsync: 'always', reofferWindow: 0 }),
};

export const powerLostEverysec: Fault = {
  id: 'G12-everysec',
  title: 'power loss, level `accepted` (`appendfsync everysec`)',
  runs: 50,
  short: 1,
  bound: `lost 0 for live producers; each loss told ≤ ${DETECTED_MS} ms after Redis answers`,
  run: (run) => withoutPower(run, { level: 'accepted', fsync: 'everysec', reofferWindow: '5s' }),
};

export const powerLostUnprotected: Fault = {
  id: 'G12-no-reoffer',
  title: 'the same, nothing offered again (`producer.reofferWindow: 0`)',
  runs: 50,
  short: 1,
  bound: `each loss told and named ≤ ${DETECTED_MS} ms after Redis answers`,
  run: (run) => withoutPower(run, { level: 'accepted', fsync: 'everysec', reofferWindow: 0 }),
};

interface PowerLoss {
  readonly level: 'durable' | 'accepted';
  readonly fsync: 'always' | 'everysec';
  readonly reofferWindow: '5s' | 0;
}

async function withoutPower(run: Run, { level, fsync, reofferWindow }: PowerLoss): Promise<Observation> {
  const { dice } = run;
  const args = ['--appendonly', 'yes', '--appendfsync', fsync];
  const redis = await startRedisServer({ mode: 'test', args });
  run.onEnd(() => redis.stop());
  const disk = await watchDisk(redis, run, fsync);
  const options = run.options(redis.url, { producer: { reofferWindow } });
  const crew = await Crew.assemble(run, { options, durability: level });
  await run.lasting(dice.between(500, 2000));
  const at = run.fault('power lost');
  await redis.kill();
  const { synced, how } = await disk.synced(at);
  const file = appendFile(redis);
  const written = sizeOf(file);
  // The worst case is the likeliest to find a fault: half of the time nothing outlives that was not synced.
  const left = dice.chance(0.5) ? synced : dice.between(synced, written);
  cutAt(file, left);
  run.fault(`${written - left} of ${written} bytes gone, ${written - synced} were not synced`);
  const kept = idsIn(file);
  await run.lasting(dice.between(0, 1000));
  await redis.restart();
  const answered = run.fault('Redis answers');
  await run.lasting(dice.between(800, 1300));
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const lost = reallyLost(events, at, (id) => kept.has(id));
  const gone = [...lost.values()].flat().length;
  const recoveryMs = [backAtWork(events, answered).completed];
  const durable = level === 'durable';
  const mayLose = !durable && reofferWindow === 0;
  bounds.judge(
    verdict,
    {
      // Without a tracer some of what was on disk is cut off, too: completions.
      duplicates: IN_FLIGHT + (durable && how === 'tracer' ? 0 : startedIn(events, at, UNSYNCED_MS)),
      recoveryMs: AT_WORK_MS,
      lost: mayLose ? Number.POSITIVE_INFINITY : 0,
    },
    recoveryMs,
  );
  holdNotRefused(bounds, events);
  holdDetected(bounds, events, lost, { killed: at, answered });
  if (durable) bounds.hold(gone === 0, `${gone} that were answered as durable are not in the file`);
  return {
    ...bounds.observed(verdict, recoveryMs, {
      'tasks accepted': verdict.accepted,
      'bytes gone': written - left,
      'tasks Redis lost': gone,
      'runs with a loss': gone > 0 ? 1 : 0,
      'losses told': toldOfLosses(events, at).length,
      'offered again': offeredAgain(events),
      [`last sync known by ${how}`]: 1,
      ...(mayLose && { 'lost for good, and told': verdict.lost.length }),
    }),
    lost: mayLose ? 0 : verdict.lost.length,
  };
}

/** Knows what of a server's file is surely on disk. */
interface Disk {
  /** Once the server is dead, which it was at `at`. */
  synced(at: number): Promise<{ readonly synced: number; readonly how: 'tracer' | 'file' }>;
}

/** By what the kernel was asked to do where that can be seen; else by what the file was, or holds. */
async function watchDisk(redis: RedisServer, run: Run, fsync: PowerLoss['fsync']): Promise<Disk> {
  const file = appendFile(redis);
  const from = sizeOf(file);
  const tracer = await Tracer.attach(redis.pid!, join(run.folder, 'strace'));
  if (tracer) return { synced: async () => ({ synced: await tracer.synced(file, from), how: 'tracer' }) };
  // What was answered under `always` is on disk, if Redis keeps its word: that part goes unproved here.
  const answered = async (): Promise<number> => {
    const ids = run.events().flatMap((event) => (event.e === 'accepted' ? [event.id] : []));
    return endOfLast(file, ids);
  };
  const sizes = fsync === 'always' ? [] : sizesOf(file, run);
  const older = (at: number): number => sizes.filter((look) => look.at <= at - 1000).at(-1)?.size ?? from;
  return {
    synced: async (at) => ({ synced: fsync === 'always' ? await answered() : older(at), how: 'file' }),
  };
}

/** How large the file was at which time, until the run is over. */
function sizesOf(file: string, run: Run): readonly { readonly at: number; readonly size: number }[] {
  const sizes: { at: number; size: number }[] = [];
  const timer = setInterval(() => sizes.push({ at: steadyMs(), size: sizeOf(file) }), LOOK_EVERY_MS);
  run.onEnd(() => clearInterval(timer));
  return sizes;
}
