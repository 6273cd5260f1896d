/**
 * Seeded chance: the same seed gives the same throws, on every machine. Mulberry32, a 32-bit generator with a full
 * period (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c).
 */
export class Dice {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  readonly random = (): number => {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** Dice of its own for part `n`, so that runs do not depend on what others threw. */
  split(n: number): Dice {
    return new Dice(Math.imul(this.seed ^ 0x9e3779b9, 2_654_435_761) ^ Math.imul(n + 1, 0x85ebca6b));
  }
}
