import { describe, expect, it } from 'vitest';
import { ACCEPTED, EFFECT, STARTED } from './ledger.js';
import { type Judgement, Tally } from './tally.js';

type Line = readonly [by: string, what: number, number: number, fence: number, at?: number];

/** Judges lines about tasks 0 to 3; task 3 is one that is made to die and replayed. */
function judge(...lines: readonly Line[]): Judgement {
  const tally = new Tally(4, 'victim', [{ from: 3, count: 1 }]);
  for (const [by, what, number, fence, at = 0] of lines) tally.see({ by, what, number, fence, at });
  return tally.judge();
}

describe('a tally', () => {
  it('finds nothing where each task was accepted, started and done once', () => {
    const judgement = judge(['p', ACCEPTED, 0, 0], ['w', STARTED, 0, 1], ['w', EFFECT, 0, 1]);

    expect(judgement).toMatchObject({ accepted: 1, lost: 0, duplicates: 0, doneAgain: 0, unexpected: 0 });
    expect(judgement.examples).toEqual([]);
  });

  it('calls lost what was accepted and has no effect, and unexpected what nobody had accepted', () => {
    const judgement = judge(['p', ACCEPTED, 1, 0], ['w', STARTED, 2, 1], ['w', EFFECT, 2, 1]);

    expect(judgement).toMatchObject({ accepted: 1, lost: 1, unexpected: 1 });
    expect(judgement.examples).toEqual([1, 2]);
  });

  it('tells two effects of one fence from two of different ones', () => {
    const started: Line[] = [0, 1].flatMap((number) => [['p', ACCEPTED, number, 0] as const]);
    const judgement = judge(
      ...started,
      ['w', EFFECT, 0, 1],
      ['x', EFFECT, 0, 1],
      ['w', EFFECT, 1, 1],
      ['x', EFFECT, 1, 2],
    );

    expect(judgement).toMatchObject({ effectsTwice: 1, doneAgain: 2 });
  });

  it('knows what the victim held, and when it was started again', () => {
    const judgement = judge(
      ['victim', STARTED, 0, 1, 10],
      ['victim', STARTED, 1, 1, 10],
      ['victim', EFFECT, 1, 1, 20],
      ['victim', STARTED, 3, 1, 30],
      ['w', STARTED, 0, 2, 500],
    );

    // Task 1 was done by then, and task 3 had become a dead letter.
    expect(judgement.victim).toEqual({ held: 1, restarted: 1, lastAt: 500 });
    expect(judgement.duplicates).toBe(1);
  });

  it('lets a task that died and was replayed start twice, and no more often', () => {
    const starts = [1, 2, 3].map((fence) => ['w', STARTED, 3, fence] as const);

    expect(judge(...starts.slice(0, 2)).duplicates).toBe(0);
    expect(judge(...starts).duplicates).toBe(1);
  });
});
