import type { Delivery, FetchAnswer, FetchRequest, WakeReason } from '../broker/broker.js';
import { LANES } from '../contract/lane.js';
import { BlockingReader } from './blocking-reader.js';
import type { DataWatch } from './data-watch.js';
import type { Eras } from './eras.js';
import type { QueueKeys } from './keys.js';
import type { Links } from './links.js';
import { fieldsOf, freshDeliveries } from './replies.js';

/** What fetches are made of. */
export interface FetchesParts {
  readonly links: Links;
  readonly eras: Eras;
  readonly watch: DataWatch;
  readonly keysOf: (queue: string) => QueueKeys;
}

/** The reads that wait for entries, one at a time per part. */
export class Fetches {
  private readonly readers = new Map<string, BlockingReader>();

  constructor(private readonly parts: FetchesParts) {}

  /** Waits for entries of any of the queues. @throws BrokerError when the link breaks or Redis refuses */
  async fetch(request: FetchRequest): Promise<FetchAnswer> {
    const { eras, watch, keysOf } = this.parts;
    const { queues } = request;
    const streams = queues.flatMap((queue) => {
      const keys = keysOf(queue);
      return [
        ...LANES.map((lane) => ({ queue, lane, key: keys.lanes[lane] })),
        { queue, lane: undefined, key: keys.wake },
      ];
    });
    const known = new Map<string, number>();
    const reader = this.reader(request);
    const { entries: found, eras: current } = await reader.read(
      {
        ...request,
        keys: streams.map((stream) => stream.key),
        controls: queues.map((queue) => keysOf(queue).control),
      },
      async () => {
        for (const queue of queues) known.set(queue, await eras.of(queue));
      },
    );
    const byKey = new Map(streams.map((stream) => [stream.key, stream]));
    const deliveries: Delivery[] = [];
    const woken: { queue: string; entryId: string; why: WakeReason }[] = [];
    for (const [key, entries] of found) {
      const { queue, lane } = byKey.get(key)!;
      const era = known.get(queue)!;
      if (!lane)
        for (const [entryId, fields] of entries) woken.push({ queue, entryId, why: wakeReason(fields) });
      else if (era !== current[queues.indexOf(queue)]) eras.forget(queue);
      else {
        watch.saw(queue, lane, entries);
        deliveries.push(...freshDeliveries(queue, lane, era, entries));
      }
    }
    return { deliveries, woken };
  }

  async interrupt(part: string): Promise<void> {
    await this.readers.get(part)?.interrupt();
  }

  async end(part: string): Promise<void> {
    this.readers.delete(part);
    await this.parts.links.dropPart(part);
  }

  private reader({ part = '', queues }: FetchRequest): BlockingReader {
    let reader = this.readers.get(part);
    if (!reader) {
      reader = new BlockingReader(this.parts.links, queues[0]!, part);
      this.readers.set(part, reader);
    }
    return reader;
  }
}

function wakeReason(fields: readonly string[] | null): WakeReason {
  return fieldsOf(fields ?? []).why === 'released' ? 'released' : 'due';
}
