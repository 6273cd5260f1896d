import type { Redis } from 'ioredis';
import type { ConsumerInfo, DeadLetter, ScheduledTask, TaskPlace } from '../broker/broker.js';
import { LANES } from '../contract/lane.js';
import type { Calls } from './calls.js';
import { GROUP, laneOf, type QueueKeys, RELEASED } from './keys.js';
import { deadLetter, fieldsOf, type IndexRun, type RawEntry, runOf, scheduledTask } from './replies.js';

/** The cold path: reads that list and look up. None changes anything, none grows with the queue. */
export class Inspection {
  constructor(private readonly calls: Calls) {}

  async consumers(queue: string, keys: QueueKeys): Promise<readonly ConsumerInfo[]> {
    const byName = new Map<string, ConsumerInfo>();
    const found = await Promise.all([...keys.laneList, keys.wake].map((key) => this.consumersOf(queue, key)));
    // Entries of the wake stream are nudges, not tasks: whoever leaves some behind holds nothing.
    found.forEach((consumers, i) => {
      for (const { name, idleMs, pending } of consumers) {
        const known = byName.get(name);
        byName.set(name, {
          name,
          idleMs: Math.min(idleMs, known?.idleMs ?? Number.POSITIVE_INFINITY),
          pending: (known?.pending ?? 0) + (i < LANES.length ? pending : 0),
        });
      }
    });
    return [...byName.values()].filter((consumer) => consumer.name !== RELEASED);
  }

  async deadLetters(
    queue: string,
    keys: QueueKeys,
    after: string,
    limit: number,
  ): Promise<readonly DeadLetter[]> {
    const from = after === '' ? '-' : `(${after}`;
    const entries = await this.ask(queue, (client) => client.xrange(keys.dead, from, '+', 'COUNT', limit));
    return entries.map((entry) => deadLetter(queue, entry));
  }

  async scheduled(
    queue: string,
    keys: QueueKeys,
    offset: number,
    limit: number,
  ): Promise<readonly ScheduledTask[]> {
    if (limit < 1) return [];
    const flat = await this.ask(queue, (client) =>
      client.zrange(keys.scheduled, String(offset), String(offset + limit - 1), 'WITHSCORES'),
    );
    const ids = flat.filter((_, i) => i % 2 === 0);
    if (ids.length === 0) return [];
    const texts = await this.ask(queue, (client) => client.hmget(keys.scheduledData, ...ids));
    return ids.flatMap((id, i) => {
      const text = texts[i];
      return text ? [scheduledTask(id, Number(flat[i * 2 + 1]), text)] : [];
    });
  }

  async find(queue: string, keys: QueueKeys, id: string): Promise<TaskPlace | undefined> {
    const { key, field } = keys.index(id);
    const places = await this.ask(queue, async (client) =>
      // Neighbours of an id of ours may have one place between them; other ids have one each.
      field.length === 1 ? client.hgetall(key) : { [field]: (await client.hget(key, field)) ?? '' },
    );
    const place = places[field];
    if (!place) return this.findInRun(queue, keys, id, runOf(field, places));
    if (place === 's') return this.findScheduled(queue, keys, id);
    const entryId = place.slice(1);
    if (place.startsWith('d')) {
      const [letter] = await this.ask(queue, (client) => client.xrange(keys.dead, entryId, entryId));
      return letter && { state: 'dead', letter: deadLetter(queue, letter) };
    }
    return this.findDelivered(queue, keys, place[0]!, entryId);
  }

  /** A task that is still where it was enqueued, together with its neighbours. */
  private async findInRun(
    queue: string,
    keys: QueueKeys,
    id: string,
    run: IndexRun | undefined,
  ): Promise<TaskPlace | undefined> {
    if (!run) return undefined;
    const key = keys.lanes[laneOf(run.mark)];
    const entries = (await this.ask(queue, (client) =>
      client.xrange(key, run.first, run.last),
    )) as RawEntry[];
    const found = entries.find(([, fields]) => fieldsOf(fields ?? []).id === id);
    return found && this.findDelivered(queue, keys, run.mark, found[0]);
  }

  private async findScheduled(queue: string, keys: QueueKeys, id: string): Promise<TaskPlace | undefined> {
    const [dueAt, text] = await Promise.all([
      this.ask(queue, (client) => client.zscore(keys.scheduled, id)),
      this.ask(queue, (client) => client.hget(keys.scheduledData, id)),
    ]);
    return dueAt && text ? { state: 'scheduled', task: scheduledTask(id, Number(dueAt), text) } : undefined;
  }

  private async findDelivered(
    queue: string,
    keys: QueueKeys,
    mark: string,
    entryId: string,
  ): Promise<TaskPlace | undefined> {
    const lane = laneOf(mark);
    const key = keys.lanes[lane];
    const [entries, pending] = await Promise.all([
      this.ask(queue, (client) => client.xrange(key, entryId, entryId)) as Promise<RawEntry[]>,
      this.ask(queue, (client) => client.xpending(key, GROUP, entryId, entryId, 1)).catch(noGroup([])),
    ]);
    const fields = entries[0]?.[1];
    if (!fields) return undefined;
    const row = (pending as [string, string, number, number][])[0];
    if (!row || row[1] === RELEASED) return { state: 'ready', lane, entryId, fields };
    return { state: 'active', lane, entryId, fields, consumer: row[1], idleMs: row[2], delivery: row[3] };
  }

  private async consumersOf(queue: string, key: string): Promise<ConsumerInfo[]> {
    const rows = (await this.ask(queue, (client) => client.xinfo('CONSUMERS', key, GROUP)).catch(
      noGroup([]),
    )) as (string | number)[][];
    return rows.map((row) => {
      const field = fieldsOf(row.map(String));
      return { name: field.name ?? '', idleMs: Number(field.idle ?? 0), pending: Number(field.pending ?? 0) };
    });
  }

  private ask<T>(queue: string, command: (client: Redis) => Promise<T>): Promise<T> {
    return this.calls.command(queue, command);
  }
}

/** A queue that nobody used yet has no group and holds nothing. */
function noGroup<T>(nothing: T): (error: Error) => T {
  return (error) => {
    if (/NOGROUP|no such key/i.test(error.message)) return nothing;
    throw error;
  };
}
