import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Fact } from '../ledger/fact.js';
import type { AcceptedTask } from './evidence.js';

/** Reads lines of JSON; one that a kill cut short is not there. */
export function readLines<T>(text: string): T[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as T];
    } catch {
      return [];
    }
  });
}

/** The ledger of a run: a folder with one file per process, to which each only ever appends. */
export class LedgerFiles {
  readonly accepted: AcceptedTask[] = [];
  private readonly acceptedFile: number;
  private readonly readTo = new Map<string, number>();
  private readonly facts: Fact[] = [];
  private readonly ended = new Set<string>();

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.acceptedFile = openSync(join(folder, 'accepted.jsonl'), 'a');
  }

  /** Where a worker is to write. */
  fileOf(worker: string): string {
    return join(this.folder, `facts-${worker}.jsonl`);
  }

  /** Notes what the API said it accepted. */
  accept(tasks: readonly AcceptedTask[]): void {
    this.accepted.push(...tasks);
    writeSync(this.acceptedFile, tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
  }

  /** All facts so far. Reads only what was added since the last call. */
  read(): readonly Fact[] {
    for (const name of readdirSync(this.folder).filter((file) => file.startsWith('facts-'))) {
      const from = this.readTo.get(name) ?? 0;
      const added = bytesFrom(join(this.folder, name), from);
      // Up to the last whole line: the next may be half written.
      const whole = added.subarray(0, added.lastIndexOf('\n') + 1);
      this.readTo.set(name, from + whole.length);
      for (const fact of readLines<Fact>(whole.toString())) this.add(fact);
    }
    return this.facts;
  }

  /** How many tasks have ended so far. */
  get endedCount(): number {
    this.read();
    return this.ended.size;
  }

  close(): void {
    closeSync(this.acceptedFile);
  }

  private add(fact: Fact): void {
    this.facts.push(fact);
    if (fact.fact === 'completed' || fact.fact === 'dead') this.ended.add(fact.id);
  }
}

function bytesFrom(file: string, position: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - position));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, position));
  } finally {
    closeSync(descriptor);
  }
}
