import { ACCEPTED, EFFECT, type LedgerLine, STARTED } from './ledger.js';
import type { Part } from './plan.js';

/** What all ledgers together come to. */
export interface Judgement {
  readonly accepted: number;
  /** Accepted, and without an effect. */
  readonly lost: number;
  /** Starts beyond the first of each task, and beyond the second of one that died and was replayed. */
  readonly duplicates: number;
  /** Effects of two starts with the same fence. */
  readonly effectsTwice: number;
  /** Tasks with more than one effect, whatever the fences. */
  readonly doneAgain: number;
  /** Started, and never answered as accepted. */
  readonly unexpected: number;
  /** Numbers of the first few tasks that are not as they should be. */
  readonly examples: readonly number[];
  /** Of the tasks that the victim held when it died: how many there were, and when the last was started again. */
  readonly victim: { readonly held: number; readonly restarted: number; readonly lastAt: number };
}

const EXAMPLES = 5;

/**
 * Judges the ledgers of a run: a few bytes per task, however long they are. Lines come process by process, so nothing
 * here depends on their order.
 */
export class Tally {
  private readonly accepted: Uint8Array;
  private readonly starts: Uint8Array;
  private readonly effects: Uint8Array;
  private readonly twice: Uint8Array;
  private readonly lastFence: Float64Array;
  /** Whether the victim held it: 1 yes, 2 not any more, since it was done with it. */
  private readonly held: Uint8Array;
  private readonly nextStart: Float64Array;

  /** `victim`: the process that was killed. `replayed`: tasks that were made to die, and replayed. */
  constructor(
    private readonly total: number,
    private readonly victim: string,
    private readonly replayed: readonly Part[],
  ) {
    this.accepted = new Uint8Array(total);
    this.starts = new Uint8Array(total);
    this.effects = new Uint8Array(total);
    this.twice = new Uint8Array(total);
    this.lastFence = new Float64Array(total);
    this.held = new Uint8Array(total);
    this.nextStart = new Float64Array(total);
  }

  readonly see = ({ by, what, number, fence, at }: LedgerLine): void => {
    if (what === ACCEPTED) this.accepted[number] = 1;
    if (what === STARTED) {
      this.starts[number]! += 1;
      if (by === this.victim) this.held[number] = this.wasReplayed(number) && fence === 1 ? 2 : 1;
      else this.nextStart[number] = Math.max(this.nextStart[number]!, at);
    }
    if (what === EFFECT) {
      if (this.effects[number]! > 0 && this.lastFence[number] === fence) this.twice[number] = 1;
      this.effects[number]! += 1;
      this.lastFence[number] = fence;
      if (by === this.victim) this.held[number] = 2;
    }
  };

  judge(): Judgement {
    const examples: number[] = [];
    const count = (fits: (number: number) => boolean): number => {
      let found = 0;
      for (let number = 0; number < this.total; number += 1) if (fits(number)) found += 1;
      return found;
    };
    const wrong = (fits: (number: number) => boolean): number =>
      count((number) => {
        const fit = fits(number);
        if (fit && examples.length < EXAMPLES) examples.push(number);
        return fit;
      });
    let duplicates = 0;
    let lastAt = 0;
    for (let number = 0; number < this.total; number += 1) {
      duplicates += Math.max(0, this.starts[number]! - (this.wasReplayed(number) ? 2 : 1));
      if (this.held[number] === 1) lastAt = Math.max(lastAt, this.nextStart[number]!);
    }
    return {
      accepted: count((number) => this.accepted[number] === 1),
      lost: wrong((number) => this.accepted[number] === 1 && this.effects[number] === 0),
      duplicates,
      effectsTwice: wrong((number) => this.twice[number] === 1),
      doneAgain: wrong((number) => this.effects[number]! > 1),
      unexpected: wrong((number) => this.accepted[number] === 0 && this.starts[number]! > 0),
      examples,
      victim: {
        held: count((number) => this.held[number] === 1),
        restarted: count((number) => this.held[number] === 1 && this.nextStart[number]! > 0),
        lastAt,
      },
    };
  }

  private wasReplayed(number: number): boolean {
    return this.replayed.some(({ from, count }) => number >= from && number < from + count);
  }
}
