import type { Lane, ScheduledTask } from '@taskq/core';
import { MemoryBroker, MemoryStore, type QueueView, VirtualClock } from '@taskq/testing';
import type { View, World } from './world.js';

const LETTER: Readonly<Record<Lane, string>> = { high: 'h', normal: 'n', low: 'l' };

/** The memory broker, two processes of it on one store. */
export function memoryWorld(queue: string): World {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock, random: () => 0.5 });
  const brokers = [new MemoryBroker({ store }), new MemoryBroker({ store })];
  return {
    brokers,
    now: () => store.now(),
    passTime: (ms) => clock.advance(ms),
    passBlock: () => clock.advance(1),
    untilWaiting: async () => {},
    addEntry: async (lane, fields) => void store.addEntry(queue, lane, fields),
    dropGroup: async () => store.dropGroup(queue),
    flush: async () => store.flush(),
    view: async () => {
      const { now, queues } = store.inspect();
      return viewOf(queues[queue], now);
    },
    close: async () => {
      for (const broker of brokers) await broker.close();
    },
  };
}

function viewOf(queue: QueueView | undefined, now: number): View {
  const none: QueueView['lanes'][Lane] = { lastId: '', lastDelivered: undefined, entries: [], pending: [] };
  const control = queue?.control ?? {};
  const left = (at: number | undefined): number | undefined => at && at - now;
  return {
    lanes: queue?.lanes ?? { high: none, normal: none, low: none },
    wake: queue?.wake ?? [],
    scheduled: (queue?.scheduled ?? []).map((task) => ({
      id: task.id,
      dueIn: task.dueAt - now,
      text: textOf(task),
    })),
    dead: (queue?.dead ?? []).map(({ entryId, queue: _queue, raw, ...letter }) => ({
      entryId,
      fields: {
        ...letter,
        ...(raw !== undefined && { raw }),
        attempt: String(letter.attempt),
        diedAt: String(letter.diedAt),
        enqueuedAt: String(letter.enqueuedAt ?? ''),
        lane: LETTER[letter.lane],
      },
    })),
    index: queue?.index ?? {},
    dedupe: mapValues(queue?.dedupe ?? {}, ({ id, fingerprint, until }) => ({
      holder: fingerprint === undefined ? id : `${fingerprint} ${id}`,
      leftMs: until - now,
    })),
    channels: mapValues(queue?.channels ?? {}, ({ sequence, reply, less, until }) => {
      const words = reply?.answers.map((answer) => answer.status[0] + ('id' in answer ? answer.id : ''));
      const lost = reply?.lostAfter === undefined ? '' : `!${reply.lostAfter} `;
      return { record: `${sequence} ${words ? lost + words.join(' ') : `-${less}`}`, leftMs: until - now };
    }),
    control: {
      promoter: control.promoter,
      promoterLeftMs: left(control.promoterUntil),
      sweepInMs: left(control.nextSweepAt),
      era: control.era,
    },
  };
}

function textOf({ lane, attempt, enqueuedAt, type, meta, payload }: ScheduledTask): string {
  return [LETTER[lane], attempt, enqueuedAt ?? '', type, meta, payload].join('\n');
}

function mapValues<From, To>(
  of: Readonly<Record<string, From>>,
  make: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, make(value)]));
}
