import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LedgerFiles } from './ledger-files.js';

let folder: string;
let ledger: LedgerFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskq-ledger-'));
  ledger = new LedgerFiles(folder);
});
afterEach(() => {
  ledger.close();
  rmSync(folder, { recursive: true, force: true });
});

const line = (fact: string, id: string) => `${JSON.stringify({ fact, id })}\n`;

describe('LedgerFiles', () => {
  it('reads what each process added since it last looked', () => {
    appendFileSync(ledger.fileOf('one'), line('started', 'a'));
    appendFileSync(ledger.fileOf('two'), line('started', 'b'));
    expect(ledger.read()).toHaveLength(2);

    appendFileSync(ledger.fileOf('two'), line('completed', 'b') + line('dead', 'a'));
    expect(ledger.read().map(({ id }) => id)).toEqual(['a', 'b', 'b', 'a']);
    expect(ledger.endedCount).toBe(2);
  });

  it('leaves a line that is not whole until it is', () => {
    const whole = line('completed', 'ä');
    appendFileSync(ledger.fileOf('one'), line('started', 'ä') + whole.slice(0, 8));
    expect(ledger.read()).toHaveLength(1);

    appendFileSync(ledger.fileOf('one'), whole.slice(8));
    expect(ledger.read().at(-1)).toEqual({ fact: 'completed', id: 'ä' });
  });

  it('counts a task once, however often it is said to have ended', () => {
    appendFileSync(ledger.fileOf('one'), line('completed', 'a').repeat(3));

    expect(ledger.endedCount).toBe(1);
  });
});
