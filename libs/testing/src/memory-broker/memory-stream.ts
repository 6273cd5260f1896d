import { SortedList } from '../sorted-list.js';
import { BEFORE_ALL, compareKeys, type EntryKey } from './entry-id.js';

/** Owner of entries that were handed back: no process has this name, so everybody may take them. */
export const RELEASED = 'released';

/** A member of a stream's group. */
export interface Consumer {
  readonly name: string;
  /** When it last was given or renewed something. */
  seenAt: number;
  /** Entries it holds. */
  held: number;
}

/** An entry of a stream, and to whom it was delivered. */
export interface StreamEntry<Body> extends EntryKey {
  readonly id: string;
  readonly body: Body;
  /** Who holds it; nobody when it was not delivered yet, or the group that delivered it is gone. */
  holder: Consumer | undefined;
  deliveredAt: number;
  deliveries: number;
}

interface Group<Body> {
  lastDelivered: EntryKey;
  readonly consumers: Map<string, Consumer>;
  /** How many entries are held, and by whom which. */
  pending: number;
  readonly holdings: Map<string, SortedList<EntryKey, StreamEntry<Body>>>;
}

/** A stream with one consumer group, as Redis has them: entries in order, each delivered once until it is claimed. */
export class MemoryStream<Body> {
  /** The last entry that was ever added, also when it is gone. */
  last: EntryKey = BEFORE_ALL;
  private readonly byId = new Map<string, StreamEntry<Body>>();
  private readonly order = new SortedList<EntryKey, StreamEntry<Body>>(compareKeys);
  private group: Group<Body> | undefined;

  get length(): number {
    return this.byId.size;
  }

  get hasGroup(): boolean {
    return this.group !== undefined;
  }

  /** Where the group has got to. */
  get lastDelivered(): EntryKey | undefined {
    return this.group?.lastDelivered;
  }

  /** Whether the group has something to deliver. */
  get hasFresh(): boolean {
    const { last } = this.order;
    return last !== undefined && this.group !== undefined && compareKeys(this.group.lastDelivered, last) < 0;
  }

  /** Entries that are held, by whomever. */
  get pending(): number {
    return this.group?.pending ?? 0;
  }

  /** Entries that {@link RELEASED} holds. */
  get released(): number {
    return this.group?.holdings.get(RELEASED)?.size ?? 0;
  }

  /** Adds an entry (`XADD *`). Ids only grow, also when the clock was set back. */
  add(body: Body, now: number): StreamEntry<Body> {
    const { last } = this;
    const ms = Math.max(now, last.ms);
    const seq = ms === last.ms ? last.seq + 1 : 0;
    const id = `${ms}-${seq}`;
    const entry = { ms, seq, id, body, holder: undefined, deliveredAt: 0, deliveries: 0 };
    this.last = entry;
    this.byId.set(id, entry);
    this.order.add(entry);
    return entry;
  }

  get(id: string): StreamEntry<Body> | undefined {
    return this.byId.get(id);
  }

  /** Takes an entry off the stream and the group; answers whether it was there (`XACK`, `XDEL`). */
  remove(id: string): boolean {
    const entry = this.byId.get(id);
    if (entry === undefined) return false;
    this.letGo(entry);
    this.byId.delete(id);
    this.order.delete(entry);
    return true;
  }

  /** Keeps the newest `length` entries (`MAXLEN`). */
  trim(length: number): void {
    while (this.byId.size > length) this.remove(this.order.first!.id);
  }

  /** Up to `limit` entries after one, in order. */
  after(key: EntryKey, limit: number): StreamEntry<Body>[] {
    return this.order.after(key, limit);
  }

  /** The first entry that the group has not delivered; of all, where there is no group. */
  firstFresh(): StreamEntry<Body> | undefined {
    return this.order.after(this.group?.lastDelivered ?? BEFORE_ALL, 1)[0];
  }

  /** Makes the group if there is none, at the start of the stream; answers whether it did. */
  makeGroup(): boolean {
    if (this.group !== undefined) return false;
    this.group = {
      lastDelivered: BEFORE_ALL,
      consumers: new Map(),
      pending: 0,
      holdings: new Map(),
    };
    return true;
  }

  /** Destroys the group and with it all it knew of deliveries. The entries stay. */
  dropGroup(): void {
    if (this.group === undefined) return;
    for (const holding of this.group.holdings.values())
      for (const entry of holding.toArray()) entry.holder = undefined;
    this.group = undefined;
  }

  /** Delivers up to `count` entries that nobody was given yet (`XREADGROUP >`). The stream must have its group. */
  read(name: string, count: number, now: number): StreamEntry<Body>[] {
    const group = this.group!;
    const entries = this.order.after(group.lastDelivered, count);
    if (entries.length === 0) return entries;
    const consumer = consumerOf(group, name, now);
    for (const entry of entries) {
      this.give(group, entry, consumer, now);
      entry.deliveries = 1;
    }
    group.lastDelivered = entries.at(-1)!;
    return entries;
  }

  /** Whether any consumer holds the entry. */
  isHeld(id: string): boolean {
    return this.byId.get(id)?.holder !== undefined;
  }

  /** The entry, if this consumer holds it. */
  heldBy(name: string, id: string): StreamEntry<Body> | undefined {
    const entry = this.byId.get(id);
    return entry?.holder?.name === name ? entry : undefined;
  }

  /** Gives an entry that is held to a consumer, as delivered at a time for the `deliveries`-th time (`XCLAIM`). */
  claim(
    entry: StreamEntry<Body>,
    name: string,
    how: { now: number; deliveredAt: number; deliveries: number },
  ): void {
    const group = this.group!;
    const consumer = consumerOf(group, name, how.now);
    if (entry.holder !== consumer) {
      this.letGo(entry);
      this.give(group, entry, consumer, how.deliveredAt);
    }
    entry.deliveredAt = how.deliveredAt;
    entry.deliveries = how.deliveries;
  }

  /** Names of those who hold something, in order, and how much (`XPENDING`). */
  holders(): readonly { readonly name: string; readonly held: number }[] {
    const holders = [...(this.group?.holdings ?? [])].map(([name, { size }]) => ({ name, held: size }));
    return holders.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Up to `limit` entries that a consumer holds, after one (`XPENDING`). */
  heldAfter(name: string, key: EntryKey, limit: number): StreamEntry<Body>[] {
    return this.group?.holdings.get(name)?.after(key, limit) ?? [];
  }

  /** Whether a consumer holds anything. */
  holdsAny(name: string): boolean {
    return (this.group?.consumers.get(name)?.held ?? 0) > 0;
  }

  /** Members of the group. */
  consumers(): readonly Consumer[] {
    return [...(this.group?.consumers.values() ?? [])];
  }

  /** Takes a consumer out of the group. What it held is never delivered again. */
  removeConsumer(name: string): void {
    for (const entry of this.group?.holdings.get(name)?.toArray() ?? []) this.letGo(entry);
    this.group?.consumers.delete(name);
  }

  /** All entries, in order. */
  entries(): readonly StreamEntry<Body>[] {
    return this.order.toArray();
  }

  /** The same again, sharing nothing that changes. */
  copy(): MemoryStream<Body> {
    const copy = new MemoryStream<Body>();
    copy.last = this.last;
    const { group } = this;
    if (group !== undefined) {
      copy.makeGroup();
      copy.group!.lastDelivered = group.lastDelivered;
      for (const [name, consumer] of group.consumers)
        copy.group!.consumers.set(name, { ...consumer, held: 0 });
    }
    for (const entry of this.order.toArray()) {
      const twin = { ...entry, holder: undefined };
      copy.byId.set(twin.id, twin);
      copy.order.add(twin);
      const holder = entry.holder && copy.group!.consumers.get(entry.holder.name);
      if (holder !== undefined) copy.give(copy.group!, twin, holder, entry.deliveredAt);
    }
    return copy;
  }

  private give(group: Group<Body>, entry: StreamEntry<Body>, consumer: Consumer, at: number): void {
    entry.holder = consumer;
    entry.deliveredAt = at;
    consumer.held += 1;
    group.pending += 1;
    let holding = group.holdings.get(consumer.name);
    if (holding === undefined) {
      holding = new SortedList(compareKeys);
      group.holdings.set(consumer.name, holding);
    }
    holding.add(entry);
  }

  private letGo(entry: StreamEntry<Body>): void {
    const { holder } = entry;
    if (holder === undefined) return;
    holder.held -= 1;
    const group = this.group!;
    group.pending -= 1;
    group.holdings.get(holder.name)!.delete(entry);
    if (holder.held === 0) group.holdings.delete(holder.name);
    entry.holder = undefined;
  }
}

function consumerOf(group: { consumers: Map<string, Consumer> }, name: string, now: number): Consumer {
  let consumer = group.consumers.get(name);
  if (consumer === undefined) {
    consumer = { name, seenAt: now, held: 0 };
    group.consumers.set(name, consumer);
  }
  consumer.seenAt = now;
  return consumer;
}
