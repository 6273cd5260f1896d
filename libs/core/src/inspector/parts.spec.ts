import { describe, expect, it } from 'vitest';
import { afterEach, compareMarks, entryBefore, markOf, sumOf } from './parts.js';

describe('dead letters of several parts', () => {
  it('are in the order of their entries, those with one id in the order of the parts', () => {
    const marks = ['10-0/0', '9-0/2', '9-12/1', '9-2/1', '9-0/1'];
    expect(marks.toSorted(compareMarks)).toEqual(['9-0/1', '9-0/2', '9-2/1', '9-12/1', '10-0/0']);
  });

  it('go on behind a mark, each once, also those of other parts with the same id', () => {
    const letters = [['5-0', '7-0'], ['5-0', '6-0'], ['5-0']];
    const all = letters.flatMap((own, i) => own.map((id) => markOf(id, i))).toSorted(compareMarks);
    const seen: string[] = [];
    for (let mark = ''; ;) {
      const next = afterEach(3, mark)
        .flatMap((after, i) =>
          letters[i]!.filter((id) => after === '' || compareMarks(id, after) > 0).map((id) => markOf(id, i)),
        )
        .toSorted(compareMarks)[0];
      if (next === undefined) break;
      seen.push(next);
      mark = next;
    }
    expect(seen).toEqual(all);
    expect(seen).toHaveLength(5);
  });

  it('begin at the start where nothing was read', () => {
    expect(afterEach(2, '')).toEqual(['', '']);
    expect([entryBefore('5-3'), entryBefore('5-0'), entryBefore('0-0')]).toEqual([
      '5-2',
      '4-18446744073709551615',
      '',
    ]);
  });
});

describe('counts of several parts', () => {
  it('are added up; the oldest is the oldest of all, and consumers are those of any', () => {
    const part = (n: number, oldestReadyMs?: number) => ({
      ready: { high: n, normal: 2 * n, low: 0 },
      ...{ active: n, scheduled: 3 * n, dead: 1, consumers: n, oldestReadyMs },
    });

    expect(sumOf([part(1), part(2, 50), part(3, 20)])).toEqual({
      ready: { high: 6, normal: 12, low: 0 },
      ...{ active: 6, scheduled: 18, dead: 3, consumers: 3, oldestReadyMs: 50 },
    });
    expect(sumOf([part(1)]).oldestReadyMs).toBeUndefined();
  });
});
