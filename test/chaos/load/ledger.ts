import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { steadyMs } from '../history/history.js';

/** What can be said of a task: its producer was answered, a handler began, a handler had its effect. */
export const ACCEPTED = 0;
export const STARTED = 1;
export const EFFECT = 2;

/** One line of a ledger. */
export interface LedgerLine {
  readonly by: string;
  readonly what: number;
  readonly number: number;
  readonly fence: number;
  /** Milliseconds of the machine's steady clock since the run began. */
  readonly at: number;
}

/** Bytes of a line: number of the task, what and when in one, fence. */
const LINE_BYTES = 16;
const KIND_SHIFT = 2 ** 28;
const LINES_AT_ONCE = 4096;
const EXTENSION = '.ledger';

/**
 * One process' part of the history where there are millions of tasks: the same as `HistoryWriter` writes, in 16 bytes
 * a line. What happens in one turn of the event loop is written together at its end; who must not go on before it is
 * written waits for `written`.
 */
export class Ledger {
  private readonly file: number;
  private readonly buffer = Buffer.alloc(LINE_BYTES * LINES_AT_ONCE);
  private used = 0;
  private flushing: Promise<void> | undefined;

  /** `epochMs`: when the run began, by the steady clock. */
  constructor(
    folder: string,
    by: string,
    private readonly epochMs: number,
  ) {
    this.file = openSync(join(folder, `${by}${EXTENSION}`), 'a');
  }

  add(what: number, number: number, fence = 0): void {
    if (this.used === this.buffer.length) this.write();
    const at = Math.round(steadyMs() - this.epochMs);
    this.buffer.writeUInt32LE(number, this.used);
    this.buffer.writeUInt32LE(what * KIND_SHIFT + at, this.used + 4);
    this.buffer.writeDoubleLE(fence, this.used + 8);
    this.used += LINE_BYTES;
    this.flushing ??= new Promise((resolve) =>
      setImmediate(() => {
        this.flushing = undefined;
        this.write();
        resolve();
      }),
    );
  }

  /** Resolves when the kernel has everything that was added so far. */
  written(): Promise<void> {
    return this.flushing ?? Promise.resolve();
  }

  close(): void {
    this.write();
    closeSync(this.file);
  }

  private write(): void {
    if (this.used > 0) writeSync(this.file, this.buffer, 0, this.used);
    this.used = 0;
  }
}

/** Shows every line of every ledger in a folder, a piece at a time. One that a kill cut short is left out. */
export function readLedgers(folder: string, visit: (line: LedgerLine) => void): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(EXTENSION))) {
    readLedger(join(folder, name), name.slice(0, -EXTENSION.length), visit);
  }
}

function readLedger(path: string, by: string, visit: (line: LedgerLine) => void): void {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(LINE_BYTES * LINES_AT_ONCE);
  try {
    let position = 0;
    for (;;) {
      const read = readSync(file, buffer, 0, buffer.length, position);
      const whole = read - (read % LINE_BYTES);
      if (whole === 0) return;
      for (let at = 0; at < whole; at += LINE_BYTES) {
        const mark = buffer.readUInt32LE(at + 4);
        visit({
          by,
          what: Math.floor(mark / KIND_SHIFT),
          number: buffer.readUInt32LE(at),
          fence: buffer.readDoubleLE(at + 8),
          at: mark % KIND_SHIFT,
        });
      }
      position += whole;
    }
  } finally {
    closeSync(file);
  }
}
