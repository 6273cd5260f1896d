import { startRedisSentinel, waitFor } from '@taskq/testing';
import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import { Crew, IN_FLIGHT } from '../redis/crew.js';
import {
  AT_WORK_MS,
  backAtWork,
  holdNotRefused,
  holdRefusalsTrue,
  offeredAgain,
  startedIn,
  toldOfLosses,
} from '../redis/findings.js';
import type { Run } from '../run.js';

const DOWN_AFTER_MS = 500;

const BOUND = `lost 0; at work again ≤ failover (down-after ${DOWN_AFTER_MS} ms) + ${AT_WORK_MS} ms; the old primary takes nothing`;

/** The primary hangs with every connection open; Sentinels replace it; later it goes on as if nothing had been. */
export const sentinelFailover: Fault = {
  id: 'G14',
  title: 'Sentinel, primary frozen under load, thawed later',
  runs: 20,
  short: 1,
  bound: BOUND,
  run: (run) => replaced(run, 'accepted'),
};

export const sentinelFailoverConfirmed: Fault = {
  id: 'G14-replicated',
  title: 'the same, level `{ replicated: 1 }`',
  runs: 20,
  short: 1,
  bound: BOUND,
  run: (run) => replaced(run, { replicated: 1 }),
};

async function replaced(run: Run, durability: 'accepted' | { readonly replicated: 1 }): Promise<Observation> {
  const { dice } = run;
  const confirmed = durability !== 'accepted';
  // One that is left when the other is promoted, so that there is still somebody to confirm.
  const group = await startRedisSentinel({ replicas: confirmed ? 2 : 1, downAfterMs: DOWN_AFTER_MS });
  run.onEnd(() => group.stop());
  const crew = await Crew.assemble(run, {
    options: run.options(
      {
        sentinels: group.sentinels.map(({ host, port }) => `${host}:${port}`),
        sentinelName: group.name,
      },
      { producer: { reofferWindow: confirmed ? 0 : '5s' } },
    ),
    durability,
  });
  await run.lasting(dice.between(400, 900));
  const old = await group.primary();
  const at = run.fault('primary frozen');
  await old.freeze();
  await waitFor(async () => (await group.primary()) !== old, {
    what: 'a new primary',
    timeoutMs: 20_000,
    intervalMs: 10,
  });
  const promoted = run.fault('a replica is the primary');
  await run.lasting(dice.between(1500, 2500));
  const thawed = run.fault('the old primary goes on');
  await old.thaw();
  // It takes itself for the primary until it is told otherwise.
  await run.lasting(dice.between(500, 1000));
  await group.untilReady();
  run.fault('the old primary is a replica');
  const bounds = new Bounds();
  const verdict = await crew.finish(bounds);
  const events = run.events();
  // What was under way when it froze may still have been heard of.
  const { completed, accepted } = backAtWork(events, at + 50);
  const longest = promoted - at + AT_WORK_MS;
  bounds.judge(verdict, { duplicates: IN_FLIGHT + startedIn(events, at, 500), recoveryMs: longest }, [
    completed,
  ]);
  bounds.hold(accepted <= longest, `the next call was accepted after ${Math.round(accepted)} ms`);
  if (confirmed) holdRefusalsTrue(bounds, events);
  else holdNotRefused(bounds, events);
  return bounds.observed(verdict, [completed], {
    'tasks accepted': verdict.accepted,
    'accepted after the thaw': events.filter((one) => one.e === 'accepted' && one.at > thawed).length,
    'ms to promote': Math.round(promoted - at),
    'losses told': toldOfLosses(events, at).length,
    'offered again': offeredAgain(events),
    'told as unknown': events.filter((one) => one.e === 'unknown').length,
    'refused, and not run': events.filter((one) => one.e === 'refused').length,
  });
}
