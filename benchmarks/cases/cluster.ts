import { Redis } from 'ioredis';
import { OWN_NAME, redisCpuMicros } from '../measure/redis-facts.js';
import { perTask } from '../measure/meter.js';
import { payloadsOf } from '../payload.js';
import { settled } from './backlog-filler.js';
import { type BenchCase, COST, type Findings, type Trial } from './bench-case.js';

const WINDOW_S = 1.5;
const CALLERS = 100;
/** Of the window, before it. */
const WARM_UP = 0.2;

/** The whole life of tasks on a Cluster of three primaries: enqueued by a hundred callers, then done in 99 slots. */
export function clusterCase(partitions: number): BenchCase {
  return {
    id: `cluster-${partitions}`,
    title: `enqueue and process: 99 slots, a Cluster of three primaries, ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`,
    contenders: ['taskq'],
    against: 'taskq',
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
  const enqueue = async (count: number): Promise<void> => {
    const payloads = payloadsOf(0, count, 'small').values();
    const caller = async (): Promise<void> => {
      for (const payload of payloads) await rig.enqueue(payload);
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
  };
  await enqueue(Math.ceil(tasks * WARM_UP));

  const before = await read(primaries);
  await enqueue(tasks);
  await rig.work(async () => undefined);
  await settled(rig);
  const after = await read(primaries);

  // What was enqueued to warm up is done in the window, too, for half of the cost.
  const all = tasks * (1 + WARM_UP / 2);
  const shares = after.redisMicros.map((micros, i) => micros - before.redisMicros[i]!);
  const redisMicros = shares.reduce((sum, micros) => sum + micros, 0);
  for (const primary of primaries) primary.disconnect();
  return {
    figures: {
      ...perTask({
        tasks: all,
        ms: after.at - before.at,
        nodeMicros: after.nodeMicros - before.nodeMicros,
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

async function read(primaries: readonly Redis[]) {
  const redisMicros = await Promise.all(primaries.map(redisCpuMicros));
  const { user, system } = process.cpuUsage();
  return { at: performance.now(), nodeMicros: user + system, redisMicros };
}
