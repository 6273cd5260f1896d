import { describe, expect, it } from 'vitest';
import type { Fact } from '../ledger/fact.js';
import { handOverTimes, runningOn } from './hand-over.js';

function fact(at: number, pid: number, name: Fact['fact'], id: string, queue = 'webhooks'): Fact {
  return { at, pid, fact: name, id, queue, attempt: 1 };
}

describe('handOverTimes', () => {
  it('is the time from the signal until the first start elsewhere', () => {
    const facts = [
      fact(10, 1, 'started', 'a'),
      fact(300, 1, 'released', 'a'),
      fact(340, 2, 'started', 'a'),
      fact(900, 2, 'started', 'a'),
    ];

    expect(handOverTimes(facts, 1, 100)).toEqual([240]);
  });

  it('is for ever for a task that was not started again, and leaves out what others handed back', () => {
    const facts = [
      fact(10, 1, 'started', 'a'),
      fact(300, 1, 'released', 'a'),
      fact(300, 2, 'released', 'b'),
      fact(310, 1, 'started', 'a'),
    ];

    expect(handOverTimes(facts, 1, 100)).toEqual([Infinity]);
  });
});

describe('runningOn', () => {
  it('is what a process started and did not end', () => {
    const facts = [
      fact(1, 1, 'started', 'a'),
      fact(2, 1, 'started', 'b'),
      fact(3, 1, 'completed', 'a'),
      fact(4, 2, 'started', 'c'),
      fact(5, 1, 'started', 'd', 'catalogue'),
      fact(6, 1, 'retrying', 'd', 'catalogue'),
    ];

    expect(runningOn(facts, 1)).toEqual(['b']);
  });
});
