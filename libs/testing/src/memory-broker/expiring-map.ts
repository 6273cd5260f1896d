/** From how many entries on the map looks for expired ones. */
const FIRST_SWEEP = 64;

interface Kept<Value> {
  readonly value: Value;
  readonly until: number;
}

/** Values that are gone after their time, as Redis keys with a lifetime: still there at the very millisecond. */
export class ExpiringMap<Value> {
  private sweepAt = FIRST_SWEEP;

  constructor(private readonly kept = new Map<string, Kept<Value>>()) {}

  get(key: string, now: number): Value | undefined {
    const found = this.kept.get(key);
    if (found === undefined) return undefined;
    if (now <= found.until) return found.value;
    this.kept.delete(key);
    return undefined;
  }

  /** Keeps a value until a time, which it is told anew each time. */
  set(key: string, value: Value, until: number, now: number): void {
    this.kept.set(key, { value, until });
    if (this.kept.size >= this.sweepAt) this.sweep(now);
  }

  delete(key: string): void {
    this.kept.delete(key);
  }

  /** What is there, with the time until which it is, in the order of keys. */
  entries(now: number): readonly (Kept<Value> & { readonly key: string })[] {
    return [...this.kept]
      .filter(([, { until }]) => now <= until)
      .map(([key, kept]) => ({ key, ...kept }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  copy(): ExpiringMap<Value> {
    return new ExpiringMap(new Map(this.kept));
  }

  /** When the map has doubled: so each value is looked at once or twice in its life. */
  private sweep(now: number): void {
    for (const [key, { until }] of this.kept) if (now > until) this.kept.delete(key);
    this.sweepAt = Math.max(FIRST_SWEEP, 2 * this.kept.size);
  }
}
