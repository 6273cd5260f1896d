/** Items kept side by side in one array: moving so many to make room costs less than a microsecond. */
const RUN = 512;

/**
 * Items in order, no two of them equal. Adding, removing and finding cost about the same however many there are;
 * adding at the end costs least. What is looked for need only be a `Key`: as much of an item as `compare` looks at.
 */
export class SortedList<Key, Item extends Key = Key> {
  /** Runs of neighbours, none empty. */
  private readonly runs: Item[][] = [];
  private count = 0;

  constructor(private readonly compare: (a: Key, b: Key) => number) {}

  get size(): number {
    return this.count;
  }

  get first(): Item | undefined {
    return this.runs[0]?.[0];
  }

  get last(): Item | undefined {
    return this.runs.at(-1)?.at(-1);
  }

  add(item: Item): void {
    this.count += 1;
    const tail = this.runs.at(-1);
    if (tail === undefined || this.compare(tail.at(-1)!, item) < 0) {
      if (tail !== undefined && tail.length < RUN) tail.push(item);
      else this.runs.push([item]);
      return;
    }
    const at = this.runWith(item);
    const run = this.runs[at]!;
    run.splice(this.placeIn(run, item), 0, item);
    if (run.length > 2 * RUN) this.runs.splice(at + 1, 0, run.splice(RUN));
  }

  /** Removes the item that equals `key`; answers it, or nothing when there is none. */
  delete(key: Key): Item | undefined {
    const at = this.runWith(key);
    const run = this.runs[at];
    if (run === undefined) return undefined;
    const place = this.placeIn(run, key);
    const item = run[place]!;
    if (this.compare(item, key) !== 0) return undefined;
    if (run.length === 1) this.runs.splice(at, 1);
    else run.splice(place, 1);
    this.count -= 1;
    return item;
  }

  /** Up to `limit` items that come after `key`, in order. */
  after(key: Key, limit: number): Item[] {
    let at = this.runWith(key);
    const run = this.runs[at];
    if (run === undefined) return [];
    let place = this.placeIn(run, key);
    if (this.compare(run[place]!, key) === 0) place += 1;
    if (place === run.length) {
      at += 1;
      place = 0;
    }
    return this.take(at, place, limit);
  }

  /** Up to `limit` items from the `offset`-th on, counted from 0. */
  slice(offset: number, limit: number): Item[] {
    let at = 0;
    let place = offset;
    while (at < this.runs.length && place >= this.runs[at]!.length) {
      place -= this.runs[at]!.length;
      at += 1;
    }
    return this.take(at, place, limit);
  }

  toArray(): Item[] {
    return this.runs.flat();
  }

  private take(at: number, place: number, limit: number): Item[] {
    const first = this.runs[at];
    if (first === undefined) return [];
    const items = first.slice(place, place + Math.max(0, limit));
    for (let next = at + 1; next < this.runs.length && items.length < limit; next += 1) {
      const run = this.runs[next]!;
      for (let i = 0; i < run.length && items.length < limit; i += 1) items.push(run[i]!);
    }
    return items;
  }

  /** The first run that does not end before `key`. */
  private runWith(key: Key): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(this.runs[middle]!.at(-1)!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the first item of the run stands that does not come before `key`. */
  private placeIn(run: readonly Item[], key: Key): number {
    let low = 0;
    let high = run.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(run[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
