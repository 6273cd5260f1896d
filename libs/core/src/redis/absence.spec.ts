import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Absence } from './absence.js';

const TIMEOUT_MS = 1000;

function links(): [Redis, Redis] {
  return [{}, {}] as unknown as [Redis, Redis];
}

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

const pass = (ms: number): unknown => vi.advanceTimersByTime(ms);

describe('Absence', () => {
  it('begins when a link closes, however long it was idle before', () => {
    const absence = new Absence(TIMEOUT_MS);
    const [link] = links();
    absence.heard(link);
    pass(60_000);
    absence.closed(link);
    pass(3000);

    expect(absence.over(link)).toEqual({ silentMs: 63_000, awayMs: 3000 });
    expect(absence.awayMs(link)).toBe(0);
  });

  it('goes on over every try to connect', () => {
    const absence = new Absence(TIMEOUT_MS);
    const [link] = links();
    for (let tries = 0; tries < 4; tries += 1) {
      absence.closed(link);
      pass(500);
    }

    expect(absence.over(link).awayMs).toBe(2000);
  });

  it('begins with the first command that nobody answered, since a server that hangs closes nothing', () => {
    const absence = new Absence(TIMEOUT_MS);
    const [link] = links();
    absence.heard(link);
    pass(200);
    // Sent now, given up later, and only then is the link closed.
    pass(TIMEOUT_MS);
    absence.unanswered(link);
    absence.closed(link);
    pass(50);

    expect(absence.over(link).awayMs).toBe(TIMEOUT_MS + 50);
  });

  it('begins at the earliest with the last answer', () => {
    const absence = new Absence(TIMEOUT_MS);
    const [link] = links();
    pass(60_000);
    absence.heard(link);
    pass(10);
    absence.unanswered(link);
    pass(5);

    expect(absence.over(link)).toEqual({ silentMs: 15, awayMs: 15 });
  });

  it('is none of a link whose server answered after all, and one link says nothing of another', () => {
    const absence = new Absence(TIMEOUT_MS);
    const [one, other] = links();
    absence.closed(other);
    pass(100);
    absence.unanswered(one);
    absence.heard(one);
    pass(100);

    expect(absence.awayMs(one)).toBe(0);
    expect(absence.over(other).awayMs).toBe(200);
  });
});
