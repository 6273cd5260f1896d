import { describe, expect, it } from 'vitest';
import type { Fact } from '../ledger/fact.js';
import { checkLedger, percentile } from './check-ledger.js';
import type { Evidence } from './evidence.js';

const FIRST = 100;
const KILLED = 200;
let clock = 0;

function fact(name: Fact['fact'], id: string, more: Partial<Fact> = {}): Fact {
  clock += 1;
  return { at: clock, pid: FIRST, fact: name, id, queue: 'catalogue', attempt: 1, ...more };
}

/**
 * A run in which all went well: `a` completed, `b` was retried, `c` died, `d` was taken from the killed worker, `e` was
 * handed back, and `f` was done when the kill came.
 */
function evidence(): { -readonly [K in keyof Evidence]: Evidence[K] } {
  return {
    accepted: ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ id, queue: 'catalogue' })),
    facts: [
      fact('started', 'a', { waitMs: 4 }),
      fact('completed', 'a'),
      fact('started', 'b', { waitMs: 2 }),
      fact('retrying', 'b'),
      fact('started', 'b', { attempt: 2, waitMs: 900 }),
      fact('completed', 'b', { attempt: 2 }),
      fact('started', 'c', { waitMs: 1 }),
      fact('dead', 'c', { reason: 'invalid-payload' }),
      fact('started', 'd', { pid: KILLED, waitMs: 3 }),
      fact('started', 'f', { pid: KILLED, waitMs: 3 }),
      fact('reclaimed', 'd', { from: 'killed-1' }),
      fact('started', 'd', { waitMs: 2000 }),
      fact('completed', 'd'),
      fact('started', 'e', { waitMs: 5 }),
      fact('released', 'e'),
      fact('reclaimed', 'e', { pid: 300, from: 'released' }),
      fact('started', 'e', { pid: 300, waitMs: 300 }),
      fact('completed', 'e', { pid: 300 }),
    ],
    killed: [{ pid: KILLED, slots: 2 }],
    effects: new Map(['a', 'b', 'd', 'e', 'f'].map((id) => [id, 1])),
    queues: [
      {
        queue: 'catalogue',
        unfinished: 0,
        dead: 1,
        deadLetters: [{ id: 'c', reason: 'invalid-payload' }],
      },
    ],
    duplicates: { sent: 2, recognised: 2 },
    conflicts: { sent: 1, recognised: 1 },
    mustDie: { 'invalid-payload': 1, 'non-retryable': 0 },
    handOverMs: [280],
  };
}

/** Names of the checks that fail once `tamper` has had its way. */
function failures(tamper: (run: ReturnType<typeof evidence>) => void): readonly string[] {
  const run = evidence();
  tamper(run);
  const { ok, checks } = checkLedger(run);
  const failed = checks.filter((check) => !check.ok).map(({ name }) => name);
  expect(ok).toBe(failed.length === 0);
  return failed;
}

/** The facts of a run without those that `drop` names. */
function without(facts: readonly Fact[], drop: (one: Fact) => boolean): Fact[] {
  return facts.filter((one) => !drop(one));
}

describe('a run in which all went well', () => {
  it('passes every check', () => {
    expect(failures(() => undefined)).toEqual([]);
  });

  it('is counted', () => {
    expect(checkLedger(evidence()).tally).toEqual({
      accepted: 6,
      completed: 5,
      retried: 1,
      deadByReason: { 'invalid-payload': 1 },
      reclaimed: 1,
      handedBack: 1,
      lost: 0,
      startedTwice: 1,
      repeatedEffects: 0,
      unannounced: 1,
      waitP50Ms: 3,
      waitP99Ms: 5,
    });
  });
});

describe('a ledger that was tampered with', () => {
  it('without the end of a task: it is lost', () => {
    const failed = failures((run) => {
      run.facts = without(run.facts, ({ fact: name, id }) => name === 'completed' && id === 'a');
    });

    expect(failed).toEqual([
      'accepted = completed + dead-lettered',
      'nothing was lost',
      'no other task had one',
    ]);
  });

  it('without any trace of a task: it is lost', () => {
    const failed = failures((run) => {
      run.accepted = [...run.accepted, { id: 'g', queue: 'catalogue' }];
    });

    expect(failed).toEqual(['accepted = completed + dead-lettered', 'nothing was lost']);
  });

  it('with a task that nobody accepted', () => {
    const failed = failures((run) => {
      run.facts = [...run.facts, fact('started', 'x')];
    });

    expect(failed).toEqual(['nothing ran that was not accepted']);
  });

  it('with a task that ended twice', () => {
    const failed = failures((run) => {
      run.facts = [...run.facts, fact('completed', 'a')];
    });

    expect(failed).toEqual(['no task ended twice']);
  });

  it('with more second starts than the killed worker had slots', () => {
    const failed = failures((run) => {
      run.killed = [{ pid: KILLED, slots: 0 }];
    });

    expect(failed).toEqual(['started twice ≤ slots of the killed worker']);
  });
});

describe('a killed worker', () => {
  it('is believed to have finished a task only when somebody saw the effect', () => {
    const failed = failures((run) => {
      run.effects = new Map([...run.effects].filter(([id]) => id !== 'f'));
    });

    expect(failed).toEqual(['accepted = completed + dead-lettered', 'nothing was lost']);
  });

  it('is believed to have buried a task when Redis has the dead letter', () => {
    const run = evidence();
    run.effects = new Map([...run.effects].filter(([id]) => id !== 'f'));
    run.queues = [
      {
        ...run.queues[0]!,
        dead: 2,
        deadLetters: [...run.queues[0]!.deadLetters, { id: 'f', reason: 'non-retryable' }],
      },
    ];
    run.mustDie = { 'invalid-payload': 1, 'non-retryable': 1 };

    const verdict = checkLedger(run);
    expect(verdict.ok).toBe(true);
    expect(verdict.tally.deadByReason).toEqual({ 'invalid-payload': 1, 'non-retryable': 1 });
  });

  it('is not an excuse for a worker that was not killed', () => {
    const failed = failures((run) => {
      run.killed = [{ pid: 999, slots: 2 }];
    });

    expect(failed).toContain('nothing was lost');
  });
});

describe('witnesses that disagree', () => {
  it('Redis, that has tasks left', () => {
    const failed = failures((run) => {
      run.queues = [{ ...run.queues[0]!, unfinished: 1 }];
    });

    expect(failed).toEqual(['Redis: the queues are empty']);
  });

  it('Redis, that knows another reason, another count or another letter', () => {
    const letters = 'Redis: its dead letters are those of the ledger';
    const change = (queue: Partial<Evidence['queues'][number]>) =>
      failures((run) => {
        run.queues = [{ ...run.queues[0]!, ...queue }];
      });

    expect(change({ deadLetters: [{ id: 'c', reason: 'non-retryable' }] })).toEqual([letters]);
    expect(change({ dead: 2 })).toEqual([letters]);
    expect(change({ deadLetters: [] })).toEqual([letters]);
  });

  it('the input, of which more had to die', () => {
    const failed = failures((run) => {
      run.mustDie = { 'invalid-payload': 2 };
    });

    expect(failed).toEqual(['dead are those that had to die']);
  });

  it('effects, that are missing, surplus or too often', () => {
    const change = (id: string, times: number) =>
      failures((run) => {
        const effects = new Map(run.effects);
        if (times === 0) effects.delete(id);
        else effects.set(id, times);
        run.effects = effects;
      });

    expect(change('a', 0)).toEqual(['every completed task had its effect']);
    expect(change('c', 1)).toEqual(['no other task had one']);
    expect(change('a', 5)).toEqual(['repeated effects ≤ slots killed + handed back']);
    expect(change('a', 2)).toEqual([]);
  });

  it('callers, whose repeats were not recognised', () => {
    const failed = failures((run) => {
      run.duplicates = { sent: 2, recognised: 1 };
      run.conflicts = { sent: 1, recognised: 0 };
    });

    expect(failed).toEqual(['repeated requests were recognised', 'keys used for another body were refused']);
  });

  it('tasks that were handed back and started late, never, or were none', () => {
    const name = 'handed back at SIGTERM, started elsewhere within 1000 ms';
    for (const handOverMs of [[1001], [Infinity], []]) {
      expect(failures((run) => void (run.handOverMs = handOverMs))).toEqual([name]);
    }
  });
});

describe('percentile', () => {
  it('is the smallest value that the share is not above', () => {
    const hundred = Array.from({ length: 100 }, (_, n) => n + 1);

    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBe(0);
  });
});
