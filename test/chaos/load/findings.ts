import type { Bounds } from '../bounds.js';
import type { Event } from '../history/history.js';
import { COMMAND_BOUND_MS, type CommandWatch, type SlowCommand } from './commands.js';
import { INSPECTION_BOUND_MS, type Look, slowestLooks } from './inspections.js';
import { heldByOne, type LoadPlan, type Parts } from './plan.js';
import type { Judgement } from './tally.js';

/** Memory when all is done, as a multiple of what it was before. */
export const MEMORY_BOUND = 1.1;

const MIB = 1024 * 1024;

/**
 * Longest time from when slots are free to when the last task of the dead worker is started again. Its leases are over
 * by then, so what was promised is one sweep and a second; and as much again, since there are 25,000 of them and the
 * queue is being drained of two million others meanwhile.
 */
export function restartBoundMs(leaseMs: number): number {
  return Math.round(2 * (leaseMs / 6 + 1000));
}

/** What was measured on the way. */
export interface Measured {
  readonly watch: CommandWatch;
  readonly looks: readonly Look[];
  /** Bytes. */
  readonly memory: { readonly before: number; readonly full: number; readonly after: number };
  readonly judgement: Judgement;
  /** When there were free slots again, in milliseconds of the ledgers. */
  readonly openedAt: number;
  readonly leaseMs: number;
  /** How long after the last scheduled task was due all were ready. */
  readonly promotedMs: number;
  /** The longest that counting took while everybody was at work. */
  readonly busyCountsMs: number;
}

/** Holds that each task was done once, and that only what the dead worker held was started twice. */
export function holdJudgement(bounds: Bounds, judgement: Judgement, parts: Parts, plan: LoadPlan): void {
  const { accepted, lost, duplicates, effectsTwice, doneAgain, unexpected, victim } = judgement;
  const examples = judgement.examples.join(', ');
  bounds.hold(accepted === parts.total, `${accepted} accepted, not ${parts.total}`);
  bounds.hold(lost === 0, `lost ${lost}: ${examples}`);
  bounds.hold(doneAgain === 0, `${doneAgain} done more than once: ${examples}`);
  bounds.hold(effectsTwice === 0, `${effectsTwice} done twice with one fence: ${examples}`);
  bounds.hold(unexpected === 0, `${unexpected} unexpected: ${examples}`);
  bounds.hold(victim.held === heldByOne(plan), `the victim held ${victim.held}, not ${heldByOne(plan)}`);
  bounds.hold(victim.restarted === victim.held, `of these ${victim.restarted} were started again`);
  bounds.hold(duplicates <= victim.held, `${duplicates} duplicates, ${victim.held} promised`);
}

/** Holds that nobody missed anything that was in Redis: it was never away. */
export function holdNothingMissed(bounds: Bounds, events: readonly Event[]): void {
  const told = events.filter((event) => event.e === 'fact' && event.name === 'data.lost');
  bounds.hold(told.length === 0, `${told.length} losses were told, and there was none`);
}

/** The figures of the report, each held against its bound. */
export function measure(bounds: Bounds, measured: Measured): void {
  const { watch, looks, memory, judgement, openedAt, leaseMs, promotedMs, busyCountsMs } = measured;
  const [slowest] = watch.all;
  const [look] = slowestLooks(looks);
  const count = (of: (one: SlowCommand) => number): number =>
    watch.all.filter((one) => of(one) > COMMAND_BOUND_MS).length;
  bounds.measure({
    name: 'slowest command',
    value: slowest?.ms ?? 0,
    unit: 'ms',
    bound: COMMAND_BOUND_MS,
    ...(slowest && { which: `${slowest.phase}: ${commandText(slowest)}` }),
  });
  bounds.measure({
    name: `commands over ${COMMAND_BOUND_MS} ms`,
    value: count(({ ms }) => ms),
    unit: '',
    bound: 0,
    which: `${count(({ tookMs }) => tookMs)} by the clock on the wall`,
  });
  bounds.measure({
    name: 'slowest inspection',
    value: look?.ms ?? 0,
    unit: 'ms',
    bound: INSPECTION_BOUND_MS,
    ...(look && { which: look.name }),
  });
  bounds.measure({
    name: 'slowest inspection of a busy queue',
    value: busyCountsMs,
    unit: 'ms',
    which: 'counts, while it drains',
  });
  bounds.measure({
    name: 'memory afterwards',
    value: memory.after / memory.before,
    unit: '×',
    bound: MEMORY_BOUND,
    which: `${mib(memory.before)} before, ${mib(memory.full)} when full, ${mib(memory.after)} afterwards`,
  });
  bounds.measure({
    name: 'last task of the dead worker started again',
    value: Math.max(0, Math.round(judgement.victim.lastAt - openedAt)),
    unit: 'ms',
    bound: restartBoundMs(leaseMs),
    which: 'from the moment when slots were free',
  });
  bounds.measure({
    name: 'last scheduled task ready',
    value: promotedMs,
    unit: 'ms',
    which: 'from the moment when it was due',
  });
}

/** A slow command for people. */
export function commandText({ name, tookMs, ms, args, within }: SlowCommand): string {
  const waited = tookMs - ms >= 0.1 ? `, ${tookMs} ms with waiting` : '';
  return `${name} ${ms.toFixed(1)} ms (${args} arguments${waited}${within ? `; in it ${within}` : ''})`;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(2)} MiB`;
}
