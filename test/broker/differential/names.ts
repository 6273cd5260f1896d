import type { DeadLetter, Delivery, Lane, ScheduledTask, TaskPlace } from '@taskq/core';

/** A length of time as both sides tell it: all calls together take less than half a second. */
export function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.floor(ms / 1000 + 0.45);
}

/**
 * Names for what each side calls its own way: entries by their order in their stream, eras by their order, times by
 * whether there is one.
 */
export class Names {
  private readonly entries = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private eras: number[] = [];

  /** The name of an entry; one not seen before is the next of its stream. */
  entry(stream: string, id: string): string {
    const key = `${stream} ${id}`;
    let name = this.entries.get(key);
    if (name === undefined) {
      const count = (this.counts.get(stream) ?? 0) + 1;
      this.counts.set(stream, count);
      name = `${stream}#${count}`;
      this.entries.set(key, name);
    }
    return name;
  }

  /** Other data, with eras of its own. */
  forgetEras(): void {
    this.eras = [];
  }

  era(era: number): number {
    let place = this.eras.indexOf(era);
    if (place < 0) place = this.eras.push(era) - 1;
    return place;
  }

  fields(fields: readonly string[]): readonly string[] {
    return fields.map((value, i) =>
      i % 2 === 1 && fields[i - 1] === 'enqueuedAt' && value !== '' ? 'T' : value,
    );
  }

  delivery({ lane, entryId, era, fields, ...rest }: Delivery): object {
    return {
      ...rest,
      lane,
      era: this.era(era),
      entryId: this.entry(lane, entryId),
      fields: this.fields(fields),
    };
  }

  letter({ entryId, diedAt, enqueuedAt, ...rest }: DeadLetter): object {
    return {
      ...rest,
      entryId: this.entry('dead', entryId),
      diedAt: diedAt > 0,
      enqueuedAt: enqueuedAt !== undefined,
    };
  }

  scheduled({ dueAt, enqueuedAt, ...rest }: ScheduledTask, now: number): object {
    return { ...rest, dueIn: seconds(dueAt - now), enqueuedAt: enqueuedAt !== undefined };
  }

  place(place: TaskPlace | undefined, now: number): object | undefined {
    if (place === undefined) return undefined;
    if (place.state === 'dead') return { ...place, letter: this.letter(place.letter) };
    if (place.state === 'scheduled') return { ...place, task: this.scheduled(place.task, now) };
    const named = {
      ...place,
      entryId: this.entry(place.lane, place.entryId),
      fields: this.fields(place.fields),
    };
    return place.state === 'active' ? { ...named, idleMs: seconds(place.idleMs) } : named;
  }

  /** A place of the index: `n` and an entry, `d` and an entry, or `s`. */
  indexed(place: string): string {
    const lanes: Readonly<Record<string, Lane | 'dead'>> = { h: 'high', n: 'normal', l: 'low', d: 'dead' };
    const stream = lanes[place[0]!];
    return stream === undefined ? place : this.entry(stream, place.slice(1));
  }
}
