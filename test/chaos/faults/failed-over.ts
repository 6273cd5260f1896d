import { type RedisReplication, startRedisReplication, waitFor } from '@taskq/testing';
import { DurabilityUnavailableError } from '@taskq/core';
import { TASK_QUEUE } from '../actors/actor-config.js';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import type { Event } from '../history/history.js';
import { idsKept, tell } from '../redis/admin.js';
import { Crew, IN_FLIGHT } from '../redis/crew.js';
import {
  AT_WORK_MS,
  backAtWork,
  DETECTED_MS,
  holdDetected,
  holdNotRefused,
  holdRefusalsTrue,
  offeredAgain,
  reallyLost,
  startedIn,
  toldOfLosses,
} from '../redis/findings.js';
import { ReplicationWire } from '../redis/replication-wire.js';
import type { Run } from '../run.js';

/** A replica falls behind, the primary dies, and the replica takes its place. */
export const failedOver: Fault = {
  id: 'G13',
  title: 'failover to a stalled replica, level `{ replicated: 1 }`',
  runs: 50,
  short: 1,
  bound: `lost 0 of those confirmed, the others are unknown; at work again ≤ promotion + ${AT_WORK_MS} ms`,
  run: (run) => takenOver(run, { durability: { replicated: 1 }, reofferWindow: 0 }),
};

export const failedOverAccepted: Fault = {
  id: 'G13-accepted',
  title: 'the same, level `accepted`',
  runs: 50,
  short: 1,
  bound: `lost 0 for live producers; each loss told ≤ ${DETECTED_MS} ms after the promotion`,
  run: (run) => takenOver(run, { durability: 'accepted', reofferWindow: '5s' }),
};

export const failedOverUnprotected: Fault = {
  id: 'G13-no-reoffer',
  title: 'the same, nothing offered again (`producer.reofferWindow: 0`)',
  runs: 50,
  short: 1,
  bound: `each loss told and named ≤ ${DETECTED_MS} ms after the promotion`,
  run: (run) => takenOver(run, { durability: 'accepted', reofferWindow: 0 }),
};

interface Failover {
  readonly durability: 'accepted' | { readonly replicated: 1 };
  readonly reofferWindow: '5s' | 0;
}

async function takenOver(run: Run, { durability, reofferWindow }: Failover): Promise<Observation> {
  const { dice } = run;
  const group = await startRedisReplication();
  run.onEnd(() => group.stop());
  const { primary } = group;
  const replica = group.replicas[0]!;
  const wire = await ReplicationWire.to(primary);
  run.onEnd(() => wire.cut());
  await tell(replica, 'REPLICAOF', '127.0.0.1', String(wire.port));
  await linked(group);
  const proxy = await run.proxy(primary);
  const confirmed = durability !== 'accepted';
  const crew = await Crew.assemble(run, {
    options: run.options(proxy.url, {
      producer: { reofferWindow, timeout: confirmed ? dice.pick(['600ms', '2s']) : '10s' },
    }),
    durability,
    // Half of those who were told that nobody knows ask again, until they are told.
    insist: !confirmed || dice.chance(0.5),
  });
  await run.lasting(dice.between(400, 800));
  const stalled = run.fault('replica stalled');
  wire.hold();
  await replica.freeze();
  await run.lasting(dice.between(100, 1500));
  const at = run.fault('kill -9 the primary');
  await primary.kill();
  await wire.cut();
  await replica.thaw();
  await tell(replica, 'REPLICAOF', 'NO', 'ONE');
  const kept = await idsKept(replica, run.prefix, TASK_QUEUE);
  await run.lasting(dice.between(0, 1000));
  const promoted = run.fault('the replica is the primary');
  proxy.target = replica.connection;
  proxy.resetAll();
  // The one that died comes back as a replica, without anything.
  await primary.restart();
  await tell(primary, 'REPLICAOF', replica.host, String(replica.port));
  await run.lasting(dice.between(1000, 1800));
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  const lost = reallyLost(events, at, (id) => kept.has(id));
  const gone = [...lost.values()].flat().length;
  const { completed, accepted } = backAtWork(events, promoted);
  const recoveryMs = [completed];
  const mayLose = !confirmed && reofferWindow === 0;
  bounds.judge(
    verdict,
    {
      duplicates: IN_FLIGHT + startedIn(events, at, at - stalled + 500),
      recoveryMs: AT_WORK_MS,
      lost: mayLose ? Number.POSITIVE_INFINITY : 0,
    },
    recoveryMs,
  );
  bounds.hold(accepted <= AT_WORK_MS, `the next call was accepted after ${Math.round(accepted)} ms`);
  if (confirmed) holdOnlyUnavailable(bounds, events);
  else holdNotRefused(bounds, events);
  if (!confirmed) holdDetected(bounds, events, lost, { killed: at, answered: promoted });
  else bounds.hold(gone === 0, `${gone} that were confirmed were not on the replica`);
  return {
    ...bounds.observed(verdict, recoveryMs, {
      'tasks accepted': verdict.accepted,
      'tasks Redis lost': gone,
      'runs with a loss': gone > 0 ? 1 : 0,
      'losses told': toldOfLosses(events, at).length,
      'offered again': offeredAgain(events),
      'told as unknown': events.filter((event) => event.e === 'unknown').length,
      'of these run': verdict.recovered.length,
      'refused, and not run': events.filter((event) => event.e === 'refused').length,
      ...(mayLose && { 'lost for good, and told': verdict.lost.length }),
    }),
    lost: mayLose ? 0 : verdict.lost.length,
  };
}

/** While there is no primary or no replica, a call may be refused, if that is true: nothing was written. */
function holdOnlyUnavailable(bounds: Bounds, events: readonly Event[]): void {
  const reasons = events.flatMap((event) => (event.e === 'refused' ? [event.reason] : []));
  const others = reasons.filter(
    (reason) => !reason.startsWith(DurabilityUnavailableError.code) && !reason.endsWith('UNAVAILABLE'),
  );
  bounds.hold(others.length === 0, `${others.length} calls were refused: ${[...new Set(others)].join()}`);
  holdRefusalsTrue(bounds, events);
}

async function linked(group: RedisReplication): Promise<void> {
  await waitFor(
    async () => {
      const info = String(await tell(group.primary, 'INFO', 'replication'));
      return /slave0:.*state=online/.test(info);
    },
    { what: 'the replica to be linked through the wire', timeoutMs: 15_000 },
  );
}
