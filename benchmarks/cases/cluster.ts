import { Redis } from 'ioredis';
import { OWN_NAME, redisCpuMicros } from '../measure/redis-facts.js';
import { perTask } from '../measure/meter.js';
import { payloadsOf } from '../payload.js';
import { settled } from './backlog-filler.js';
import { type BenchCase, COST, type Findings, type Trial } from './bench-case.js';

const WINDOW_S = 1;
const CALLERS = 100;
/** Of the tasks that are measured, before them. */
const WARM_UP = 1;

/** The whole life of tasks on a Cluster of three primaries: enqueued by a hundred callers, then done in 99 slots. */
export function clusterCase(partitions: number): BenchCase {
  const split = partitions === 1 ? '1 partition' : `${partitions} partitions`;
  return {
    id: `cluster-${partitions}`,
    title: `enqueue and process: ${CALLERS} callers, 99 slots, a Cluster of three primaries, ${split}`,
    contenders: ['taskq', 'ceiling'],
    against: 'ceiling',
    rounds: 3,
    server: 'cluster',
    figures: [...COST, 'busiestShare'],
    run: (trial) => live(trial, partitions),
  };
}

async function live(trial: Trial, partitions: number): Promise<Findings> {
  const primaries = await primariesOf(trial.admin);
  const rig = await trial.open({ slots: 99, callers: CALLERS, partitions });
  const tasks = trial.tasks(trial.contender.pace.process.many / 2, WINDOW_S);
  const warmUp = Math.ceil(tasks * WARM_UP);
  const enqueue = async (count: number): Promise<void> => {
    const payloads = payloadsOf(0, count, 'small').values();
    const caller = async (): Promise<void> => {
      for (const payload of payloads) await rig.enqueue(payload);
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
  };
  await enqueue(warmUp);

  const first = await read(primaries);
  await enqueue(tasks);
  const filled = await read(primaries);
  await rig.work(async () => undefined);
  await settled(rig);
  const last = await read(primaries);
  for (const primary of primaries) primary.disconnect();

  // What was enqueued to warm up is done in the window, too.
  const [enqueued, done] = [costOf(tasks, first, filled), costOf(warmUp + tasks, filled, last)];
  const shares = enqueued.redisMicros.map((micros, i) => micros + done.redisMicros[i]!);
  const redisMicros = shares.reduce((sum, micros) => sum + micros, 0);
  return {
    figures: {
      ...perTask({
        tasks: 1,
        ms: enqueued.at + done.at,
        nodeMicros: enqueued.nodeMicros + done.nodeMicros,
        redisMicros,
      }),
      busiestShare: (Math.max(...shares) * shares.length) / redisMicros,
    },
    tasks,
  };
}

async function primariesOf(admin: Redis): Promise<readonly Redis[]> {
  const slots = await admin.cluster('SLOTS');
  return slots.map(([, , [host, port] = ['', 0]]) => new Redis({ host, port, connectionName: OWN_NAME }));
}

/** Time so far, and processor time: of this process, and of each primary. */
interface Reading {
  readonly at: number;
  readonly nodeMicros: number;
  readonly redisMicros: readonly number[];
}

async function read(primaries: readonly Redis[]): Promise<Reading> {
  const redisMicros = await Promise.all(primaries.map(redisCpuMicros));
  const { user, system } = process.cpuUsage();
  return { at: performance.now(), nodeMicros: user + system, redisMicros };
}

/** What each of so many tasks has taken between two readings. */
function costOf(tasks: number, from: Reading, to: Reading): Reading {
  return {
    at: (to.at - from.at) / tasks,
    nodeMicros: (to.nodeMicros - from.nodeMicros) / tasks,
    redisMicros: to.redisMicros.map((micros, i) => (micros - from.redisMicros[i]!) / tasks),
  };
}
