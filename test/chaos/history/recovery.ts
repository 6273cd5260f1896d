import type { Event } from './history.js';

/**
 * How long each task that a victim held had to wait for its next start, in milliseconds from the fault: tasks that
 * the victim had started before `at` and not finished by then.
 */
export function recoveryTimes(events: readonly Event[], victim: string, at: number): number[] {
  const held = new Map<string, string>();
  for (const event of events) {
    if (event.by !== victim || event.at > at) continue;
    if (event.e === 'start') held.set(event.key, event.start);
    if (event.e === 'end') held.delete(event.key);
  }
  const times: number[] = [];
  for (const event of events) {
    if (event.e !== 'start' || event.at <= at || event.by === victim || !held.has(event.key)) continue;
    times.push(event.at - at);
    held.delete(event.key);
  }
  return times;
}

/** The value below which a share of the numbers lies; 0 of none. Nearest rank. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
