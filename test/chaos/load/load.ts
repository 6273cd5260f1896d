import { Bounds } from '../bounds.js';
import type { Fault, Observation } from '../fault.js';
import type { Run } from '../run.js';
import { COMMAND_BOUND_MS, CommandWatch } from './commands.js';
import { inspectAll, INSPECTION_BOUND_MS, slowestLooks } from './inspections.js';
import { commandText, holdJudgement, holdNothingMissed, measure, MEMORY_BOUND } from './findings.js';
import { readLedgers } from './ledger.js';
import { settledMemory, usedMemory } from './memory.js';
import { type LoadPlan, partsOf } from './plan.js';
import { LoadSite, WATCHER } from './site.js';
import { drain, fill, holdFull, loseWorker, promote, warmUp } from './steps.js';
import { Tally } from './tally.js';

/** A queue as full as the goal says, everything that can be asked of it then, a death, and the way back to nothing. */
export function load(plan: LoadPlan): Fault {
  return {
    id: 'LOAD',
    title: plan.size,
    runs: 1,
    short: 1,
    parallel: 1,
    repeat: plan.repeat,
    bound:
      `lost 0; each task done once; no command > ${COMMAND_BOUND_MS} ms in Redis; ` +
      `each inspection ≤ ${INSPECTION_BOUND_MS} ms; memory afterwards ≤ ${MEMORY_BOUND} × before`,
    run: (run) => carry(run, plan),
  };
}

async function carry(run: Run, plan: LoadPlan): Promise<Observation> {
  const bounds = new Bounds();
  const parts = partsOf(plan);
  const site = await LoadSite.open(run, plan);
  const [victim] = site.crowds;
  await warmUp(site, parts);
  const before = await settledMemory(site.admin, plan.steadyMs);
  const watch = await CommandWatch.begin(site.admin, {
    pid: site.redis.pid ?? 0,
    own: WATCHER,
    machine: site.machine,
  });
  run.onEnd(() => watch.end());
  const phase = <T>(name: string, work: () => Promise<T>): Promise<T> => inPhase(site, watch, name, work);

  const { known, dueAt } = await phase('fill', () => fill(site, parts));
  const full = await usedMemory(site.admin);
  await holdFull(site, bounds);
  const looks = await phase('inspect', () => inspectAll(site.engine, known, plan.scheduled, plan.looks));
  for (const { name, ms } of slowestLooks(looks).slice(0, 3)) run.say(`  ${name} ${ms.toFixed(1)} ms`);
  await phase('heartbeats', () => run.lasting(plan.leaseMs));
  await holdFull(site, bounds, 1);
  await phase('a worker dies', () => loseWorker(site));
  const promotedMs = await phase('promote', () => promote(site, dueAt));
  const openedAt = await phase('drain', () => drain(site));
  const busyCountsMs = site.slowestCountsMs;
  await watch.end();
  const after = await settledMemory(site.admin, plan.steadyMs);

  await site.end();
  const tally = new Tally(parts.total, victim!.name, [parts.dying, parts.warmUpDying]);
  readLedgers(run.records, tally.see);
  const judgement = tally.judge();
  holdJudgement(bounds, judgement, parts, plan);
  holdNothingMissed(bounds, run.events());
  measure(bounds, {
    watch,
    looks,
    memory: { before, full, after },
    judgement,
    openedAt,
    leaseMs: plan.leaseMs,
    promotedMs,
    busyCountsMs,
  });
  return {
    lost: judgement.lost,
    duplicates: judgement.duplicates,
    duplicateEffects: judgement.effectsTwice,
    recoveryMs: [],
    broken: bounds.broken,
    figures: bounds.figures,
    counts: {
      'tasks accepted': judgement.accepted,
      'scripts run': watch.calls,
      'held by the worker that died': judgement.victim.held,
      'Redis had the right of way': Number(site.foremost),
      "milliseconds for which Redis' core stood still": Math.round(site.machine.stoodStillMs),
    },
  };
}

/** Does the work of a phase, and says what Redis had to do for it. */
async function inPhase<T>(
  site: LoadSite,
  watch: CommandWatch,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const { run } = site;
  run.fault(`phase: ${name}`);
  site.slowestCountsMs = 0;
  const answer = await work();
  const { calls, slow, tookMs, waitedMs } = await watch.endPhase(name);
  run.say(
    `${name}: ${(tookMs / 1000).toFixed(1)} s, ${calls} scripts, during which Redis waited ` +
      `${waitedMs.toFixed(0)} ms for a core; counting took up to ${site.slowestCountsMs.toFixed(1)} ms`,
  );
  for (const one of slow.slice(0, 3)) run.say(`  ${commandText(one)}`);
  return answer;
}
