import { LANES } from '@taskq/core';
import { type Names, seconds } from './names.js';
import type { View } from './world.js';

/** Everything that is kept, in words that both sides have. */
export function plainView(view: View, names: Names): unknown {
  return {
    lanes: LANES.map((lane) => {
      const { entries, lastDelivered, pending } = view.lanes[lane];
      return {
        entries: entries.map(({ entryId, fields }) => [names.entry(lane, entryId), names.fields(fields)]),
        lastDelivered: lastDelivered === '0-0' ? 'none' : lastDelivered && names.entry(lane, lastDelivered),
        pending: pending.map((row) => [
          names.entry(lane, row.entryId),
          row.consumer,
          seconds(row.idleMs),
          row.deliveries,
        ]),
      };
    }),
    wake: view.wake.map(({ entryId, why }) => [names.entry('wake', entryId), why]),
    scheduled: view.scheduled.map(({ id, dueIn, text }) => [
      id,
      seconds(dueIn),
      text.replace(/\n\d{4,}\n/, '\nT\n'),
    ]),
    dead: view.dead.map(({ entryId, fields }) => ({
      ...fields,
      entryId: names.entry('dead', entryId),
      diedAt: 'T',
      enqueuedAt: fields.enqueuedAt !== '',
    })),
    index: sorted(view.index, (place) => names.indexed(place)),
    dedupe: sorted(view.dedupe, ({ holder, leftMs }) => [holder, seconds(leftMs)]),
    channels: sorted(view.channels, ({ record, leftMs }) => [record, seconds(leftMs)]),
    control: {
      promoter: view.control.promoter,
      promoterLeft: seconds(view.control.promoterLeftMs),
      sweepIn: seconds(view.control.sweepInMs),
      era: view.control.era === undefined ? undefined : names.era(view.control.era),
    },
  };
}

function sorted<From>(of: Readonly<Record<string, From>>, make: (value: From) => unknown): unknown {
  return Object.entries(of)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, make(value)]);
}
