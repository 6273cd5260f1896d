import { type RedisCluster, type RedisClusterNode, startRedisCluster, waitFor } from '@taskq/testing';
import { Bounds } from '../bounds.js';
import type { Fault, Observation, Stage } from '../fault.js';
import { tell, tellAll } from '../redis/admin.js';
import { Crew, IN_FLIGHT } from '../redis/crew.js';
import {
  AT_WORK_MS,
  backAtWork,
  holdNotRefused,
  offeredAgain,
  startedIn,
  toldOfLosses,
} from '../redis/findings.js';
import type { Run } from '../run.js';

/** Longest time until an enqueue is answered while its slot is on the move. */
const ANSWERED_MS = 5000;

const FAILOVER_BOUND = `lost 0; at work again ≤ failover + ${AT_WORK_MS} ms; other queues go on`;

/** The master of a queue dies, and its replica takes over by itself. */
export const clusterMasterKilled: Fault = {
  id: 'G15',
  title: 'Cluster, `kill -9` of the master of a queue',
  runs: 20,
  short: 1,
  bound: FAILOVER_BOUND,
  parallel: 2,
  run: (run) => failedOver(run, 'killed'),
};

/** The master of a queue hangs with every connection open, is replaced, and goes on later. */
export const clusterMasterFrozen: Fault = {
  id: 'G15-frozen',
  title: 'Cluster, master of a queue frozen, thawed later',
  runs: 20,
  short: 1,
  bound: FAILOVER_BOUND,
  parallel: 2,
  run: (run) => failedOver(run, 'frozen'),
};

/** A queue's slot moves to another master key by key, and back, while everybody goes on. */
export const clusterSlotMoved: Fault = {
  id: 'G15-migration',
  title: 'Cluster, slot of a queue moved under load, and back',
  runs: 20,
  short: 1,
  bound: `lost 0; duplicates 0; no wrong error; each enqueue answered ≤ ${ANSWERED_MS} ms`,
  parallel: 2,
  run: slotMoved,
};

async function failedOver(run: Run, how: 'killed' | 'frozen'): Promise<Observation> {
  const { dice } = run;
  const cluster = await startRedisCluster();
  run.onEnd(() => cluster.stop());
  const { crew, queues } = await crewOf(run, cluster);
  await run.lasting(dice.between(400, 900));
  const slotKey = `{${queues[0]}}`;
  const old = await cluster.masterOf(slotKey);
  const behindMs = dice.chance(0.5) ? dice.between(100, 800) : 0;
  if (behindMs > 0) {
    run.fault('its replica falls behind', queues[0]);
    await loseReplica(old);
    await run.lasting(behindMs);
  }
  const at = run.fault(`master ${how}`, queues[0]);
  await (how === 'killed' ? old.kill() : old.freeze());
  const promoted = await untilMoved(run, cluster, slotKey, old);
  await run.lasting(dice.between(1500, 2500));
  run.fault('the old master is back');
  await (how === 'killed' ? old.restart() : old.thaw());
  await run.lasting(dice.between(700, 1300));
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const ofQueue = events.filter((one) => !('key' in one) || queueOf(one.key, queues) === queues[0]);
  const ids = new Set(ofQueue.flatMap((one) => (one.e === 'accepted' ? [one.id] : [])));
  const mine = ofQueue.filter((one) => one.e !== 'fact' || one.id === undefined || ids.has(one.id));
  const { completed, accepted } = backAtWork(mine, at + 50);
  const longest = promoted - at + AT_WORK_MS;
  bounds.judge(
    verdict,
    { duplicates: IN_FLIGHT + startedIn(events, at, behindMs + 500), recoveryMs: longest },
    [completed],
  );
  bounds.hold(accepted <= longest, `the next call was accepted after ${Math.round(accepted)} ms`);
  const others = events.filter(
    (one) =>
      one.e === 'accepted' && queueOf(one.key, queues) !== queues[0] && one.at > at && one.at < promoted,
  );
  bounds.hold(others.length > 0, 'other queues stood still, too');
  holdNotRefused(bounds, events);
  return bounds.observed(verdict, [completed], {
    'tasks accepted': verdict.accepted,
    'of other queues meanwhile': others.length,
    'ms to promote': Math.round(promoted - at),
    ...(behindMs > 0 && { 'runs with a replica behind': 1 }),
    'losses told': toldOfLosses(events, at).length,
    'offered again': offeredAgain(events),
    'told as unknown': events.filter((one) => one.e === 'unknown').length,
  });
}

/** Makes a master that goes on with the clients it has lose its replica, which cannot come back without a password. */
async function loseReplica(master: RedisClusterNode): Promise<void> {
  await tellAll(master, [
    ['CONFIG', 'SET', 'requirepass', 'nobody-knows'],
    ['CLIENT', 'KILL', 'TYPE', 'replica'],
  ]);
}

async function slotMoved(run: Run, stage: Stage): Promise<Observation> {
  const { dice } = run;
  const cluster = await sharedCluster(stage);
  const { crew, queues } = await crewOf(run, cluster);
  await run.lasting(dice.between(400, 800));
  const slot = await cluster.slotOf(`{${queues[0]}}`);
  const home = await cluster.masterOf(`{${queues[0]}}`);
  const away = await cluster.masterOf(`{${queues[1]}}`);
  for (const [to, from] of [
    [away, home],
    [home, away],
  ] as const) {
    const keys = Number(await tell(from, 'CLUSTER', 'COUNTKEYSINSLOT', String(slot)));
    const pauseMsBetweenKeys = Math.floor(dice.between(100, 2000) / (keys + 1));
    run.fault(`slot ${slot}, ${keys} keys, ${pauseMsBetweenKeys} ms between two`, `to ${to.port}`);
    await cluster.migrateSlot(slot, to, { pauseMsBetweenKeys });
    run.fault('slot moved');
    await run.lasting(dice.between(500, 1000));
  }
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const took = events.flatMap((one) => (one.e === 'accepted' ? [one.tookMs] : []));
  const slowest = [Math.max(...took)];
  bounds.judge(verdict, { duplicates: 0, recoveryMs: ANSWERED_MS }, slowest);
  holdNotRefused(bounds, events);
  const unknown = events.filter((one) => one.e === 'unknown').length;
  bounds.hold(unknown === 0, `${unknown} calls were told that the outcome is unknown`);
  const told = toldOfLosses(events, 0).length;
  bounds.hold(told === 0, `${told} losses were told of, and there was none`);
  return bounds.observed(verdict, slowest, { 'tasks accepted': verdict.accepted });
}

const clusters = new WeakMap<Stage, Promise<RedisCluster>>();

/** One cluster for the runs that leave it whole. */
function sharedCluster(stage: Stage): Promise<RedisCluster> {
  let cluster = clusters.get(stage);
  if (!cluster) {
    cluster = startRedisCluster();
    clusters.set(stage, cluster);
    stage.onEnd(async () => (await cluster!).stop());
  }
  return cluster;
}

/** A crew that works on three queues, each on a master of its own. */
async function crewOf(run: Run, cluster: RedisCluster): Promise<{ crew: Crew; queues: readonly string[] }> {
  const queues = await apart(cluster, 3);
  const options = run.options({ cluster: cluster.seeds.map(({ host, port }) => `${host}:${port}`) });
  return { crew: await Crew.assemble(run, { options, queues }), queues };
}

/** Names of queues that live on different masters. */
async function apart(cluster: RedisCluster, count: number): Promise<string[]> {
  const byMaster = new Map<RedisClusterNode, string>();
  for (let i = 0; byMaster.size < count; i += 1) {
    const queue = `chaos-${i}`;
    const master = await cluster.masterOf(`{${queue}}`);
    if (!byMaster.has(master)) byMaster.set(master, queue);
  }
  return [...byMaster.values()];
}

/** Keys end in a number, and producers take the queues in turns. */
function queueOf(key: string, queues: readonly string[]): string {
  return queues[Number(key.slice(key.lastIndexOf('-') + 1)) % queues.length]!;
}

/** Waits until another node has the slot, and answers when. */
async function untilMoved(
  run: Run,
  cluster: RedisCluster,
  key: string,
  old: RedisClusterNode,
): Promise<number> {
  await waitFor(async () => (await cluster.masterOf(key)) !== old, {
    what: 'a new master',
    timeoutMs: 30_000,
    intervalMs: 20,
  });
  return run.fault('the replica is the master');
}
