/**
 * Milliseconds since 1970 with fractions, by the clock on the wall that Redis reads, too. `performance.timeOrigin` is
 * where that clock stood when the process began, which it may have left since; so the two are laid side by side now.
 */
export class WallClock {
  private readonly offset: number;

  constructor() {
    const before = Date.now();
    while (Date.now() === before);
    this.offset = Date.now() - performance.now();
  }

  now(): number {
    return performance.now() + this.offset;
  }
}
