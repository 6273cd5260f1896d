import type { QueueCounts } from '../broker/broker.js';
import { LANES } from '../contract/lane.js';

/** Counts of the parts of a queue as those of one. Consumers have the same names in every part. */
export function sumOf(parts: readonly QueueCounts[]): QueueCounts {
  const sum = (of: (counts: QueueCounts) => number): number =>
    parts.reduce((total, counts) => total + of(counts), 0);
  const ages = parts.flatMap(({ oldestReadyMs }) => (oldestReadyMs === undefined ? [] : [oldestReadyMs]));
  const ready = Object.fromEntries(LANES.map((lane) => [lane, sum((counts) => counts.ready[lane])]));
  return {
    ready: ready as QueueCounts['ready'],
    active: sum((counts) => counts.active),
    scheduled: sum((counts) => counts.scheduled),
    dead: sum((counts) => counts.dead),
    consumers: Math.max(...parts.map(({ consumers }) => consumers)),
    oldestReadyMs: ages.length > 0 ? Math.max(...ages) : undefined,
  };
}

/** Names a dead letter among all parts: entries of two parts may have the same id. */
export function markOf(entryId: string, position: number): string {
  return `${entryId}/${position}`;
}

/** The order of dead letters: by their entries, those with the same id by part. */
export function compareMarks(a: string, b: string): number {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  for (let i = 0; i < x.length; i += 1) {
    if (x[i] !== y[i]) return x[i]! < y[i]! ? -1 : 1;
  }
  return 0;
}

/** Where each part goes on when everything up to this mark was read ('' nothing was). */
export function afterEach(parts: number, mark: string): readonly string[] {
  const [entryId = '', position] = mark.split('/');
  return Array.from({ length: parts }, (_, i) =>
    position === undefined || i <= Number(position) ? entryId : entryBefore(entryId),
  );
}

/** The stream id just before `id`, so that reading after it begins with `id`. */
export function entryBefore(id: string): string {
  const [ms, sequence] = id.split('-').map(Number) as [number, number];
  if (sequence > 0) return `${ms}-${sequence - 1}`;
  return ms > 0 ? `${ms - 1}-18446744073709551615` : '';
}

/** Milliseconds, sequence and part. */
function numbersOf(mark: string): readonly bigint[] {
  return mark.split(/[-/]/).map(BigInt);
}
