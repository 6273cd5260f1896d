import type { StoreView } from '@taskq/testing';
import type { Book } from '../book.js';
import type { Fact } from '../facts.js';
import type { Plan } from '../seed/plan.js';

/** What a law may look at. */
export interface Scene {
  readonly plan: Plan;
  readonly book: Book;
  /** What the store's clock shows. */
  readonly storeNow: number;
  /** Milliseconds since the simulation began. */
  readonly now: number;
}

/** One promise. It looks on and says when it is broken; it changes nothing. */
export interface Law {
  readonly name: string;
  /** A fact, before it is in the book. */
  sees?(fact: Fact, scene: Scene): void;
  /** Everything that happened at one moment is in the book; the store has changed. */
  holds?(scene: Scene, store: StoreView): void;
  /** Faults have ended long ago, and everybody has stopped. */
  ends?(scene: Scene, store: StoreView): void;
}

/** A promise was not kept. */
export class LawBroken extends Error {
  constructor(
    readonly law: string,
    readonly what: string,
  ) {
    super(`${law}: ${what}`);
  }
}
