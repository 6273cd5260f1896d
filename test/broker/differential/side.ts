import {
  type Broker,
  BrokerError,
  type DeadLetterRef,
  type Delivery,
  type EnqueueGroup,
  type EnqueueReply,
  type FetchAnswer,
  type Lane,
  LANES,
  type ReclaimCursor,
} from '@taskq/core';
import { type Call, TIMES } from './calls.js';
import { Names, seconds } from './names.js';
import { SentGroups } from './sent-groups.js';
import { settlementOf } from './settlements.js';
import { plainView } from './views.js';
import type { World } from './world.js';

/** Deliveries, letters and groups that a call may still be about. */
const HISTORY = 30;

interface Seen {
  readonly delivery: Delivery;
  readonly consumer: string;
}

/** Does calls on one implementation, and says what came of each in words that both have. */
export class Side {
  private readonly names = new Names();
  private readonly groups: SentGroups;
  private deliveries: Seen[] = [];
  /** Everything that was ever given to anybody, by lane and entry. */
  private readonly everGiven = new Map<string, Delivery>();
  private letters: DeadLetterRef[] = [];
  private woken: string[] = [];
  private cursor: ReclaimCursor | undefined;
  private waiting:
    { readonly consumer: string; readonly broker: Broker; readonly ended: Promise<unknown> } | undefined;
  private answered: unknown;
  private readonly sentIds = new Set<string>();
  /** Beginnings of ids that two tasks had, or a task that no producer gave it. */
  private readonly doubled = new Set<string>();

  constructor(
    readonly world: World,
    private readonly queue: string,
  ) {
    this.groups = new SentGroups(queue);
  }

  /** What a call answers; an error by its reason. */
  async perform(call: Call): Promise<unknown> {
    try {
      return await this.answer(call, this.world.brokers[call.broker]!);
    } catch (error) {
      if (error instanceof BrokerError) return `refused: ${reasonOf(error)}`;
      throw error;
    }
  }

  /** Whether the fetch that waits has ended, as far as one can know without waiting. */
  get hasAnswer(): boolean {
    return this.answered !== undefined;
  }

  /** What the fetch that waited answered, once it has; nothing when none waits. */
  async waited(): Promise<unknown> {
    const { waiting } = this;
    if (waiting === undefined) return undefined;
    await waiting.ended;
    const { answered } = this;
    this.waiting = undefined;
    this.answered = undefined;
    if (typeof answered === 'string') return answered;
    // One Redis answers all that has come, another only what came to the first of the streams: so fetch the rest.
    const { consumer, broker } = waiting;
    const rest = await this.fetchNow(broker, consumer, 100).catch(() => NOTHING);
    const { deliveries, woken } = answered as FetchAnswer;
    return this.fetched(consumer, {
      deliveries: LANES.flatMap((lane) =>
        [...deliveries, ...rest.deliveries].filter((delivery) => delivery.lane === lane),
      ),
      woken: [...woken, ...rest.woken],
    });
  }

  /** Everything that is kept. */
  async view(): Promise<unknown> {
    const view = await this.world.view();
    const index = Object.entries(view.index).filter(([id]) => !this.isDoubled(id));
    return plainView({ ...view, index: Object.fromEntries(index) }, this.names);
  }

  async close(): Promise<void> {
    if (this.waiting) {
      while (!this.hasAnswer) await this.waiting.broker.interruptFetch('waits');
      await this.waiting.ended;
    }
    await this.world.close();
  }

  private async answer(call: Call, broker: Broker): Promise<unknown> {
    const { queue, names } = this;
    const { consumer } = call;
    switch (call.verb) {
      case 'enqueue':
        return this.enqueue(broker, this.groups.next(call, this.world.now()));
      case 'repeat':
        return this.enqueue(broker, this.groups.again(call, this.world.now()));
      case 'resolve':
        return broker.resolveGroup(this.groups.again(call, this.world.now()));
      case 'fetch':
        return this.fetched(consumer, await this.fetchNow(broker, consumer, call.count));
      case 'wait':
        return this.wait(broker, consumer);
      case 'interrupt':
        await this.waiting?.broker.interruptFetch('waits');
        return undefined;
      case 'settle':
        return this.settle(call, broker);
      case 'extend': {
        const leases = call.picks.flatMap((pick) => {
          const seen = this.pick(pick);
          return seen ? { ...seen, delivery: seen.delivery + (call.wrong ? 1 : 0) } : [];
        });
        const lost = await broker.extend(queue, consumer, leases);
        return lost.map((lease) => leases.indexOf(lease as Delivery));
      }
      case 'takeDuties': {
        const dutyMs = TIMES.duty;
        const { duties, waiting } = await broker.takeDuties({ queues: [queue], consumer, dutyMs });
        return [waiting, ...duties.map(({ nextInMs }) => seconds(nextInMs))];
      }
      case 'sweepsDue': {
        const { everyMs, late } = call;
        const notAfter = late && { notAfter: this.world.now() - TIMES.late };
        const answer = await broker.sweepsDue({ queues: [queue], everyMs, ...notAfter });
        return [answer.late, answer.queues.length];
      }
      case 'cleaningDue': {
        const { deadLetters } = call;
        const most = { consumerAgeMs: TIMES.never, deadLetters, deadLetterAgeMs: TIMES.never };
        return (await broker.cleaningDue({ queues: [queue], consumer, ...most })).length;
      }
      case 'promote': {
        const wakeEntryId = call.acknowledge ? this.woken.shift() : undefined;
        const { takeOver } = call;
        const { nextInMs, ...rest } = await broker.promote({
          queue,
          consumer,
          takeOver,
          dutyMs: TIMES.duty,
          ...(wakeEntryId !== undefined && { wakeEntryId }),
        });
        return { ...rest, nextIn: seconds(nextInMs) };
      }
      case 'reclaim':
        return this.reclaim(call, broker);
      case 'removeConsumer':
        return broker.removeConsumer(queue, consumer);
      case 'counts': {
        const { ready, active, scheduled, dead, oldestReadyMs } = await broker.counts(queue);
        return { ready, active, scheduled, dead, oldestReady: oldestReadyMs !== undefined };
      }
      case 'listConsumers': {
        // Since Redis 7.2 those are there, too, that only waited.
        const consumers = (await broker.listConsumers(queue)).filter(({ pending }) => pending > 0);
        return Object.fromEntries(consumers.map(({ name, pending }) => [name, pending]));
      }
      case 'ensureQueue':
        return this.told(await broker.ensureQueue(queue));
      case 'find':
        if (this.isDoubled(call.id)) return 'one of two, or none';
        return names.place(await broker.find(queue, call.id), this.world.now());
      case 'listDeadLetters': {
        const after = call.after === 0 ? '' : (this.letters.at(-call.after)?.entryId ?? '');
        const letters = await broker.listDeadLetters(queue, after, call.limit);
        this.letters = lastOf([...this.letters, ...letters]);
        return letters.map((letter) => names.letter(letter));
      }
      case 'listScheduled': {
        const tasks = await broker.listScheduled(queue, call.offset, call.limit);
        return tasks.map((each) => names.scheduled(each, this.world.now()));
      }
      case 'replay':
      case 'deleteDeadLetters': {
        const { letters } = this;
        const refs = call.picks.flatMap((pick) => letters[pick % letters.length] ?? []);
        return call.verb === 'replay' ? broker.replay(queue, refs) : broker.deleteDeadLetters(queue, refs);
      }
      case 'passTime':
        this.groups.passed(call.ms);
        return this.world.passTime(call.ms);
      case 'addEntry':
        if (call.id !== undefined) this.doubled.add(call.id.slice(0, -1));
        return this.world.addEntry(call.lane, {
          no: 'task',
          ...(call.id !== undefined && { id: call.id }),
          n: String(call.n),
          enqueuedAt: call.n % 2 ? 'odd' : '17',
        });
      case 'dropGroup':
        return this.world.dropGroup();
      case 'flush':
        this.names.forgetEras();
        return this.world.flush();
    }
  }

  /**
   * No producer gives an id twice. A group that comes again when its record has expired does: then the index may forget
   * its neighbours, too, on the side where they share a place. So it may when an entry of others has such an id.
   */
  private async enqueue(broker: Broker, group: EnqueueGroup): Promise<EnqueueReply> {
    const { record = '' } = (await this.world.view()).channels[group.channel] ?? {};
    const reply = await broker.enqueue(group);
    if (record.startsWith(`${group.sequence} `)) return reply;
    for (const { id } of group.tasks) {
      if (this.sentIds.has(id)) this.doubled.add(id.slice(0, -1));
      this.sentIds.add(id);
    }
    return reply;
  }

  private isDoubled(id: string): boolean {
    return this.doubled.has(id.slice(0, -1));
  }

  private async fetchNow(broker: Broker, consumer: string, count: number): Promise<FetchAnswer> {
    const answer = broker.fetch({ consumer, blockMs: 1, count, queues: [this.queue] });
    answer.catch(() => undefined);
    await this.world.passBlock();
    return answer;
  }

  private async wait(broker: Broker, consumer: string): Promise<void> {
    if (this.waiting) return;
    const fetch = broker.fetch({ consumer, part: 'waits', blockMs: 1e9, count: 100, queues: [this.queue] });
    const ended = fetch.then(
      (answer) => (this.answered = answer),
      (error: unknown) => (this.answered = `refused: ${reasonOf(error as BrokerError)}`),
    );
    this.waiting = { consumer, broker, ended };
    await Promise.race([ended, this.world.untilWaiting()]);
  }

  private fetched(consumer: string, { deliveries, woken }: FetchAnswer): unknown {
    return {
      deliveries: this.delivered(consumer, deliveries),
      woken: woken.map(({ entryId, why }) => {
        this.woken.push(entryId);
        return [this.names.entry('wake', entryId), why];
      }),
    };
  }

  private async settle(call: Call & { verb: 'settle' }, broker: Broker): Promise<unknown> {
    const [total, high, normal, low] = call.want;
    const { consumer } = call;
    const answer = await broker.settle({
      queue: this.queue,
      consumer,
      outcomes: call.outcomes.flatMap((outcome) => {
        const found = this.pick(outcome.pick, outcome.anyHolder ? undefined : consumer);
        return found ? settlementOf(found, outcome) : [];
      }),
      want: { total, high, normal, low },
      leaseMs: TIMES.lease[1],
    });
    return {
      stale: answer.stale.toSorted((a, b) => a - b),
      stillLeased: answer.stillLeased.toSorted((a, b) => a - b),
      buried: answer.buried.toSorted((a, b) => a - b),
      deliveries: this.delivered(consumer, answer.deliveries),
      recreated: await this.told(answer.recreated),
    };
  }

  /** Groups were made: all processes hear of it, or one of them might lease entries and not dare to answer them. */
  private async told(made: boolean): Promise<boolean> {
    if (made) for (const broker of this.world.brokers) await broker.ensureQueue(this.queue);
    return made;
  }

  private async reclaim(call: Call & { verb: 'reclaim' }, broker: Broker): Promise<unknown> {
    const { verb: _, broker: __, consumer, goOn, acknowledge, strays, late, ...request } = call;
    const wakeEntryId = acknowledge ? this.woken.shift() : undefined;
    const answer = await broker.reclaim({
      queue: this.queue,
      consumer,
      ...request,
      ...(strays > 0 && {
        strays: [...this.everGiven.values()].filter((_lease, i) => (strays >> (i % 30)) & 1),
      }),
      ...(late && { notAfter: this.world.now() - TIMES.late }),
      ...(goOn && this.cursorOr(call) && { cursor: this.cursorOr(call)! }),
      ...(wakeEntryId !== undefined && { wakeEntryId }),
    });
    const { cursor } = answer;
    this.cursor = cursor;
    const nameOf = (lane: Lane, entryId: string): string =>
      entryId === '' ? '' : this.names.entry(lane, entryId);
    return {
      deliveries: this.delivered(consumer, answer.deliveries),
      cursor: cursor && [cursor.lane, cursor.consumer, nameOf(cursor.lane, cursor.after)],
      left: answer.left,
      own: answer.own.map(({ lane, entryId }) => [lane, nameOf(lane, entryId)]),
      late: answer.late,
    };
  }

  /** Where the last sweep ended, or behind some entry: a sweep may go on from anywhere. */
  private cursorOr(call: Call & { verb: 'reclaim' }): ReclaimCursor | undefined {
    const some = this.pick(call.limit);
    return this.cursor ?? (some && { lane: some.lane, consumer: call.consumer, after: some.entryId });
  }

  private delivered(consumer: string, deliveries: readonly Delivery[]): readonly object[] {
    this.deliveries = lastOf([...this.deliveries, ...deliveries.map((delivery) => ({ delivery, consumer }))]);
    for (const each of deliveries) this.everGiven.set(`${each.lane} ${each.entryId}`, each);
    return deliveries.map((delivery) => this.names.delivery(delivery));
  }

  private pick(pick: number, consumer?: string): Delivery | undefined {
    const seen = this.deliveries.filter((each) => consumer === undefined || each.consumer === consumer);
    return seen[pick % seen.length]?.delivery;
  }
}

const NOTHING: FetchAnswer = { deliveries: [], woken: [] };

/** What is gone is told in one of two ways, depending on when. */
function reasonOf(error: BrokerError): string {
  return error.reason === 'UNBLOCKED' ? 'NOGROUP' : error.reason;
}

function lastOf<T>(all: readonly T[]): T[] {
  return all.slice(-HISTORY);
}
