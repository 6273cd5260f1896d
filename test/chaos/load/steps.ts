import { TASK_QUEUE } from '../actors/actor-config.js';
import type { Bounds } from '../bounds.js';
import { steadyMs } from '../history/history.js';
import type { KnownIds } from './inspections.js';
import { DUE_SPREAD_MS } from './orders.js';
import { activeOf, type Parts } from './plan.js';
import { type LoadSite, readyOf, unfinishedOf } from './site.js';

/** Every so many looks at a queue that drains it is said how far that has got. */
const LOOKS_PER_LINE = 25;

/** Everything of which there is one, and every script: so that tasks alone make the difference. */
export async function warmUp(site: LoadSite, parts: Parts): Promise<void> {
  const { warmUpDying } = parts;
  await site.fill('warm-up', parts.warmUp);
  await site.fill('warm-up, scheduled', { ...parts.warmUpScheduled, dueAt: Date.now() });
  await site.fill('warm-up, dying', { ...warmUpDying, dies: true });
  await site.until('the warm-up to be over', (counts) => {
    return unfinishedOf(counts) === 0 && counts.dead === warmUpDying.count;
  });
  await site.engine.inspector.replayAll(TASK_QUEUE);
  await site.until('the warm-up to be over', (counts) => unfinishedOf(counts) + counts.dead === 0);
  site.gate(false);
}

/** First those that die and those that take every slot, then those that find none, last those that wait for their time. */
export async function fill(site: LoadSite, parts: Parts): Promise<{ known: KnownIds; dueAt: number }> {
  const { plan, run } = site;
  const dying = await site.fill('dying', { ...parts.dying, dies: true });
  await site.until('the dying to be dead', ({ dead }) => dead === plan.dead);
  const active = await site.fill('active', parts.active);
  await site.until('all slots to be taken', (counts) => counts.active === activeOf(plan));
  const ready = await site.fill('ready', parts.ready);
  run.say(`${plan.ready} are ready, ${Math.round(plan.ready / (ready.tookMs / 1000))} enqueued a second`);
  const dueAt = Date.now() + plan.dueInMs;
  const scheduled = await site.fill('scheduled', { ...parts.scheduled, dueAt });
  const known = { dead: dying.ids, active: active.ids, ready: ready.ids, scheduled: scheduled.ids };
  return { known, dueAt };
}

/** Holds that the queue is as full as it is meant to be. `replayed`: dead letters that were put back. */
export async function holdFull(site: LoadSite, bounds: Bounds, replayed = 0): Promise<void> {
  const { plan } = site;
  const counts = await site.counts();
  const found = [readyOf(counts), counts.active, counts.scheduled, counts.dead].join(', ');
  const meant = [plan.ready + replayed, activeOf(plan), plan.scheduled, plan.dead - replayed].join(', ');
  bounds.hold(found === meant, `ready, active, scheduled, dead: ${found}; meant to be ${meant}`);
}

/** A worker dies with all that it holds, and its leases lapse while nobody has a free slot. */
export async function loseWorker(site: LoadSite): Promise<void> {
  await site.kill(site.crowds[0]!);
  await site.run.lasting(site.plan.leaseMs * 1.5);
}

/** Waits until all that was scheduled is ready; answers how long after the last one was due that was. */
export async function promote(site: LoadSite, dueAt: number): Promise<number> {
  await site.until('all to be promoted', ({ scheduled }) => scheduled === 0);
  return Math.max(0, Date.now() - dueAt - DUE_SPREAD_MS);
}

/**
 * Lets everybody end what he holds; another worker comes for the one that died. Ends when nothing is left, and answers
 * when it began.
 */
export async function drain(site: LoadSite): Promise<number> {
  const opened = steadyMs() - site.epochMs;
  site.gate(true);
  site.join('newcomer');
  await site.engine.inspector.replayAll(TASK_QUEUE);
  let looks = 0;
  await site.until('the queue to be empty', (counts) => {
    looks += 1;
    if (looks % LOOKS_PER_LINE === 0) site.run.say(`${unfinishedOf(counts)} are left`);
    return unfinishedOf(counts) + counts.dead === 0;
  });
  return opened;
}
