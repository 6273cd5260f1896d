import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { steadyMs } from '../history/history.js';
import { ACCEPTED, EFFECT, Ledger, type LedgerLine, readLedgers, STARTED } from './ledger.js';

describe('a ledger', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'taskq-ledger-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (): LedgerLine[] => {
    const lines: LedgerLine[] = [];
    readLedgers(folder, (line) => lines.push(line));
    return lines;
  };

  it('gives back what was added, by whom and when', async () => {
    const ledger = new Ledger(folder, 'one', steadyMs() - 7000);
    ledger.add(ACCEPTED, 0);
    ledger.add(STARTED, 2_302_507, 1);
    ledger.add(EFFECT, 5, 28_000_000_000_001);
    await ledger.written();

    const lines = read();
    expect(lines.map(({ by, what, number, fence }) => [by, what, number, fence])).toEqual([
      ['one', ACCEPTED, 0, 0],
      ['one', STARTED, 2_302_507, 1],
      ['one', EFFECT, 5, 28_000_000_000_001],
    ]);
    for (const { at } of lines) expect(at).toBeGreaterThanOrEqual(7000);
    ledger.close();
  });

  it('has written all of a turn when it says so, however much that is', async () => {
    const ledger = new Ledger(folder, 'one', steadyMs());
    for (let number = 0; number < 10_000; number += 1) ledger.add(STARTED, number, 1);
    await ledger.written();

    expect(read().map(({ number }) => number)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    ledger.close();
  });

  it('is read up to the last whole line, each process by itself', () => {
    for (const by of ['one', 'two']) {
      const ledger = new Ledger(folder, by, steadyMs());
      ledger.add(ACCEPTED, 1);
      ledger.close();
    }
    appendFileSync(join(folder, 'one.ledger'), 'cut');

    expect(statSync(join(folder, 'one.ledger')).size).toBe(19);
    expect(read().map(({ by }) => by)).toEqual(['one', 'two']);
  });
});
