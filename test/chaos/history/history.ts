import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What a producer, a worker, the sink or the supervisor saw, and when. */
export type Happening =
  /** A producer sets about enqueueing a task; `key` names it in the whole run. */
  | { readonly e: 'invoke'; readonly key: string }
  | {
      readonly e: 'accepted';
      readonly key: string;
      readonly id: string;
      readonly status: string;
      readonly tookMs: number;
    }
  /** Nobody knows what became of it. */
  | { readonly e: 'unknown'; readonly key: string; readonly id: string; readonly tookMs: number }
  | { readonly e: 'refused'; readonly key: string; readonly reason: string; readonly tookMs: number }
  /** A handler runs. `start` names this start and no other. */
  | {
      readonly e: 'start';
      readonly key: string;
      readonly id: string;
      readonly start: string;
      readonly fence: number;
      readonly attempt: number;
    }
  | { readonly e: 'end'; readonly key: string; readonly start: string; readonly how: string }
  /** The sink was asked to write a task's effect, and did or did not. */
  | {
      readonly e: 'effect';
      readonly key: string;
      readonly start: string;
      readonly fence: number;
      readonly answer: EffectAnswer;
    }
  /** An engine announced something. */
  | { readonly e: 'fact'; readonly name: string; readonly id?: string; readonly detail?: unknown }
  /** The supervisor did something to somebody. */
  | { readonly e: 'fault'; readonly name: string; readonly target?: string };

/**
 * What a sink answers: `applied`: the first effect of the task, or one of a later start; `stale`: a later start was
 * here before; `twice`: another start with the same fence was here, which no two starts may have.
 */
export type EffectAnswer = 'applied' | 'stale' | 'twice';

/** A happening, by whom and when: milliseconds of the machine's steady clock, which all processes share. */
export type Event = Happening & { readonly at: number; readonly by: string };

/** Milliseconds of the machine's steady clock, the same in every process. */
export function steadyMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * One process' part of the history: a file that is only appended to, by writes that the kernel has before they
 * return, so that nothing a killed process saw is lost. Outside Redis, which is what is being judged.
 */
export class HistoryWriter {
  private readonly file: number;

  constructor(
    folder: string,
    readonly by: string,
  ) {
    this.file = openSync(join(folder, `${by}.jsonl`), 'a');
  }

  add(happening: Happening): void {
    writeSync(this.file, `${JSON.stringify({ ...happening, at: steadyMs(), by: this.by })}\n`);
  }

  close(): void {
    closeSync(this.file);
  }
}

/** Everything that any process of a run has written, in order of time. A line cut short by a kill is left out. */
export function readHistory(folder: string): Event[] {
  const events = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => linesOf(join(folder, name)));
  return events.toSorted((a, b) => a.at - b.at);
}

function linesOf(file: string): Event[] {
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
}
