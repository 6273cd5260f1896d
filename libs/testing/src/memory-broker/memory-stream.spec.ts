import { describe, expect, it } from 'vitest';
import { compareKeys, parseEntryId } from './entry-id.js';
import { MemoryStream, RELEASED } from './memory-stream.js';

const idsOf = (entries: readonly { readonly id: string }[]): readonly string[] => entries.map(({ id }) => id);

/** A stream with its group and entries of one millisecond. */
function filled(count: number): MemoryStream<number> {
  const stream = new MemoryStream<number>();
  stream.makeGroup();
  for (let i = 0; i < count; i += 1) stream.add(i, 5);
  return stream;
}

describe('entry ids', () => {
  it('grow within a millisecond, with time, and when the clock was set back', () => {
    const stream = new MemoryStream<number>();
    const ids = [7, 7, 9, 8, 8, 10].map((now) => stream.add(0, now).id);

    expect(ids).toEqual(['7-0', '7-1', '9-0', '9-1', '9-2', '10-0']);
    expect(new MemoryStream().add(0, 0).id).toBe('0-1');
  });

  it('grow when the stream has been emptied', () => {
    const stream = filled(2);
    for (const { id } of stream.entries()) stream.remove(id);

    expect(stream.add(0, 5).id).toBe('5-2');
  });

  it('are read as they are written, and nothing else is', () => {
    expect(parseEntryId('17-3')).toEqual({ ms: 17, seq: 3 });
    expect(parseEntryId('17')).toEqual({ ms: 17, seq: 0 });
    expect(compareKeys(parseEntryId('9-10'), parseEntryId('10-9'))).toBeLessThan(0);
    for (const text of ['', 'x', '1-', '-1', '1-2-3'])
      expect(() => parseEntryId(text)).toThrow(/Invalid stream ID/);
  });
});

describe('MemoryStream', () => {
  it('delivers each entry once, to whoever reads', () => {
    const stream = filled(3);

    expect(idsOf(stream.read('a', 2, 10))).toEqual(['5-0', '5-1']);
    expect(idsOf(stream.read('b', 2, 10))).toEqual(['5-2']);
    expect(stream.read('b', 2, 10)).toEqual([]);
    expect(stream.hasFresh).toBe(false);
    expect([stream.length, stream.pending]).toEqual([3, 3]);
    expect(stream.consumers()).toMatchObject([
      { name: 'a', held: 2 },
      { name: 'b', held: 1 },
    ]);
  });

  it('knows who holds an entry, since when and for the how-manieth time', () => {
    const stream = filled(1);
    const [entry] = stream.read('a', 1, 10);

    expect(stream.heldBy('a', '5-0')).toBe(entry);
    expect(stream.heldBy('b', '5-0')).toBeUndefined();
    stream.claim(entry!, 'b', { now: 20, deliveredAt: 15, deliveries: 7 });
    expect(stream.heldBy('a', '5-0')).toBeUndefined();
    expect(stream.heldBy('b', '5-0')).toMatchObject({ deliveredAt: 15, deliveries: 7 });
    expect(stream.consumers()).toMatchObject([
      { name: 'a', held: 0, seenAt: 10 },
      { name: 'b', held: 1, seenAt: 20 },
    ]);
  });

  it('lists what was handed back in the order of the stream, however it was handed back', () => {
    const stream = filled(4);
    const entries = stream.read('a', 4, 10);
    for (const i of [2, 0, 3])
      stream.claim(entries[i]!, RELEASED, { now: 10, deliveredAt: 0, deliveries: 0 });

    expect(idsOf(stream.heldAfter(RELEASED, { ms: 0, seq: 0 }, 2))).toEqual(['5-0', '5-2']);
    expect(stream.released).toBe(3);
    stream.claim(entries[0]!, 'b', { now: 10, deliveredAt: 10, deliveries: 1 });
    expect(idsOf(stream.heldAfter(RELEASED, { ms: 0, seq: 0 }, 5))).toEqual(['5-2', '5-3']);
    stream.remove('5-3');
    expect([stream.released, stream.pending, stream.length]).toEqual([1, 3, 3]);
  });

  it('pages through what is held', () => {
    const stream = filled(5);
    stream.read('a', 4, 10);
    stream.remove('5-1');

    expect(idsOf(stream.heldAfter('a', { ms: 0, seq: 0 }, 2))).toEqual(['5-0', '5-2']);
    expect(idsOf(stream.heldAfter('a', { ms: 5, seq: 1 }, 9))).toEqual(['5-2', '5-3']);
    expect(stream.heldAfter('b', { ms: 0, seq: 0 }, 9)).toEqual([]);
  });

  it('says who holds how much, by name, and nobody who holds nothing', () => {
    const stream = filled(5);
    for (const name of ['b', 'c', 'a']) stream.read(name, 1, 10);
    stream.read('b', 1, 10);
    stream.remove('5-1');

    expect(stream.holders()).toEqual([
      { name: 'a', held: 1 },
      { name: 'b', held: 2 },
    ]);
  });

  it('delivers anew when its group is made again, and knows nothing of before', () => {
    const stream = filled(2);
    stream.read('a', 2, 10);
    stream.dropGroup();
    expect([stream.pending, stream.hasGroup, stream.length]).toEqual([0, false, 2]);
    expect(stream.heldBy('a', '5-0')).toBeUndefined();

    expect([stream.makeGroup(), stream.makeGroup()]).toEqual([true, false]);
    expect(idsOf(stream.read('b', 9, 10))).toEqual(['5-0', '5-1']);
    expect(stream.consumers()).toMatchObject([{ name: 'b', held: 2 }]);
  });

  it('keeps the newest when it is trimmed', () => {
    const stream = filled(5);
    stream.read('a', 1, 10);
    stream.trim(2);

    expect(idsOf(stream.entries())).toEqual(['5-3', '5-4']);
    expect(stream.pending).toBe(0);
    expect(idsOf(stream.read('a', 9, 10))).toEqual(['5-3', '5-4']);
  });

  it('forgets a consumer together with what it held', () => {
    const stream = filled(2);
    stream.read('a', 2, 10);
    stream.removeConsumer('a');
    stream.removeConsumer('nobody');

    expect(stream.consumers()).toEqual([]);
    expect([stream.pending, stream.length, stream.holdsAny('a')]).toEqual([0, 2, false]);
    expect(stream.read('b', 2, 10)).toEqual([]);
  });

  it('is copied so that neither sees what becomes of the other', () => {
    const stream = filled(4);
    const [first, second] = stream.read('a', 3, 10);
    stream.claim(second!, RELEASED, { now: 10, deliveredAt: 0, deliveries: 1000 });
    const copy = stream.copy();
    stream.remove(first!.id);
    stream.read('b', 9, 20);
    stream.add(9, 20);

    expect(idsOf(copy.entries())).toEqual(['5-0', '5-1', '5-2', '5-3']);
    expect([copy.pending, copy.released]).toEqual([3, 1]);
    expect(copy.heldBy('a', '5-0')).toMatchObject({ deliveries: 1, deliveredAt: 10 });
    expect(copy.heldBy(RELEASED, '5-1')).toMatchObject({ deliveries: 1000 });
    expect(copy.consumers().map(({ name, held }) => [name, held])).toEqual([
      ['a', 2],
      [RELEASED, 1],
    ]);
    expect(idsOf(copy.read('c', 9, 30))).toEqual(['5-3']);
    expect(new MemoryStream<number>().copy().hasGroup).toBe(false);
  });
});
