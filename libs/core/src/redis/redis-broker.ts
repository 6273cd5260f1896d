import type { Redis } from 'ioredis';
import type {
  Broker,
  ConsumerInfo,
  DeadLetter,
  DeadLetterRef,
  Delivery,
  EnqueueAnswer,
  EnqueueGroup,
  FetchAnswer,
  FetchRequest,
  Lease,
  PromoteAnswer,
  PromoteRequest,
  QueueCounts,
  ReclaimAnswer,
  ReclaimRequest,
  ScheduledTask,
  SettleAnswer,
  SettleRequest,
  TaskPlace,
  WakeReason,
} from '../broker/broker.js';
import { type BrokerError, BrokerTimeoutError } from '../contract/errors.js';
import { LANES } from '../contract/lane.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import { monotonicMs } from '../runtime/clock.js';
import { type LinkRole, RedisLinks } from './connections.js';
import { Inspection } from './inspection.js';
import { GROUP, KeyList, LANE_NUMBER, type QueueKeys, queueKeys } from './keys.js';
import { toBrokerError } from './redis-errors.js';
import {
  countsAnswer,
  enqueueAnswer,
  fieldsOf,
  freshDeliveries,
  lostLeases,
  type RawEntry,
  reclaimAnswer,
  settleAnswer,
} from './replies.js';
import { enqueueCall, leaseArgs, settleCall } from './requests.js';
import { runScript, type Script } from './run-script.js';
import { scripts } from './scripts.generated.js';
import { readServerFacts, type ServerFacts, unfitError, unfitness } from './server-check.js';

/** Tasks moved or leases renewed by one script call. */
const PAGE = 100;

/** Beyond `blockMs`, how long a blocking read may stay without an answer before its link is taken for dead. */
const WATCHDOG_MARGIN_MS = 3000;

/** The broker on Redis: every verb is one script, or one command that is atomic by itself. */
export class RedisBroker implements Broker {
  private readonly keysByQueue = new Map<string, QueueKeys>();
  private readonly inspection: Inspection;
  /** Redis' clock minus this process' steady clock. */
  private clockOffset = Date.now() - monotonicMs();
  /** What Redis calls the connection that blocks, as long as it lasts. */
  private blockingId: number | undefined;

  private constructor(
    private readonly links: RedisLinks,
    private readonly prefix: string,
    /** What was found when connecting. */
    readonly server: ServerFacts,
  ) {
    this.inspection = new Inspection(() => links.get('commands'));
  }

  /**
   * Connects, and looks whether the server can be trusted with tasks.
   * @throws RedisUnusableError when it cannot be reached in time, or is unfit and `redis.unsafe` is 'refuse'
   */
  static async connect(
    options: ResolvedEngineOptions,
    report: { random: () => number; warn: (message: string) => void },
  ): Promise<RedisBroker> {
    const links = new RedisLinks(options.redis, report.random);
    try {
      await links.connect();
      const facts = await readServerFacts(links.get('commands'));
      const reasons = unfitness(facts);
      if (reasons.length > 0 && options.redis.unsafe === 'refuse') throw unfitError(links.target, reasons);
      for (const reason of reasons) report.warn(`Redis at ${links.target}: ${reason}`);
      return new RedisBroker(links, options.prefix, facts);
    } catch (error) {
      await links.close();
      throw error;
    }
  }

  /** Host and port, or path, of the server. */
  get target(): string {
    return this.links.target;
  }

  /** The connection for commands, for an application's own use. Do not block on it or close it. */
  get client(): Redis {
    return this.links.get('commands');
  }

  now(): number {
    return Math.round(monotonicMs() + this.clockOffset);
  }

  async openForWork(): Promise<void> {
    await Promise.all([this.links.ready('blocking'), this.links.ready('maintenance')]);
  }

  async ensureQueue(queue: string): Promise<boolean> {
    const { laneList, wake } = this.keys(queue);
    return Number(await this.run('commands', scripts.ensure, [...laneList, wake], [])) > 0;
  }

  async enqueue(group: EnqueueGroup): Promise<readonly EnqueueAnswer[]> {
    const { keys, args } = enqueueCall(this.keys(group.queue), group);
    const reply = String(await this.run('commands', scripts.enqueue, keys, args));
    if (reply === 'late')
      throw new BrokerTimeoutError('LATE', 'a later group of this channel was applied already');
    return reply.split(' ').map(enqueueAnswer);
  }

  async fetch(request: FetchRequest): Promise<FetchAnswer> {
    const streams = request.queues.flatMap((queue) => {
      const keys = this.keys(queue);
      return [
        ...LANES.map((lane) => ({ queue, lane, key: keys.lanes[lane] })),
        { queue, lane: undefined, key: keys.wake },
      ];
    });
    const reply = await this.blockingRead(
      request,
      streams.map((stream) => stream.key),
    );
    const byKey = new Map(streams.map((stream) => [stream.key, stream]));
    const deliveries: Delivery[] = [];
    const woken: { queue: string; entryId: string; why: WakeReason }[] = [];
    for (const [key, entries] of reply) {
      const { queue, lane } = byKey.get(key)!;
      if (lane) deliveries.push(...freshDeliveries(queue, lane, entries));
      else for (const [entryId, fields] of entries) woken.push({ queue, entryId, why: wakeReason(fields) });
    }
    return { deliveries, woken };
  }

  async interruptFetch(): Promise<void> {
    const link = this.links.get('blocking');
    // Before the link is ready nothing blocks on it.
    if (link.status !== 'ready' || this.blockingId === undefined) return;
    await this.command('commands', (client) => client.client('UNBLOCK', this.blockingId!));
  }

  async settle(request: SettleRequest): Promise<SettleAnswer> {
    const { keys, args, done } = settleCall(this.keys(request.queue), request);
    const reply = await this.run('commands', scripts.settle, keys, args);
    const { now, ...answer } = settleAnswer(request.queue, done, reply);
    this.heard(now);
    return answer;
  }

  async extend(queue: string, consumer: string, leases: readonly Lease[]): Promise<readonly Lease[]> {
    const { laneList } = this.keys(queue);
    const lost: Lease[] = [];
    for (let i = 0; i < leases.length; i += PAGE) {
      const page = leases.slice(i, i + PAGE);
      const reply = await this.run('maintenance', scripts.extend, laneList, [consumer, ...leaseArgs(page)]);
      const answer = lostLeases(page, reply);
      this.heard(answer.now);
      lost.push(...answer.lost);
    }
    return lost;
  }

  async promote(request: PromoteRequest): Promise<PromoteAnswer> {
    const keys = this.keys(request.queue);
    const duty = [
      request.consumer,
      request.dutyMs,
      request.takeOver ? 1 : 0,
      PAGE,
      request.wakeEntryId ?? '',
    ];
    const reply = await this.run('maintenance', scripts.due, [keys.scheduled, keys.control, keys.wake], duty);
    const [now, onDuty, nextInMs, ids] = reply as [number, number, number, string[]];
    this.heard(now);
    let promoted = 0;
    if (ids.length > 0) {
      const list = new KeyList([...keys.laneList, keys.scheduled, keys.scheduledData, keys.dead]);
      const args = ids.flatMap((id) => {
        const { key, field } = keys.index(id);
        return [id, list.position(key), field];
      });
      promoted = Number(await this.run('maintenance', scripts.promote, list.keys, args));
    }
    return { onDuty: onDuty === 1, promoted, nextInMs: nextInMs < 0 ? undefined : nextInMs };
  }

  async reclaim(request: ReclaimRequest): Promise<ReclaimAnswer> {
    const keys = this.keys(request.queue);
    const reply = await this.run(
      'maintenance',
      scripts.reclaim,
      [...keys.laneList, keys.control, keys.wake],
      [
        request.consumer,
        request.leaseMs,
        request.limit,
        request.suspects ? 1 : 0,
        request.releasedOnly ? 1 : 0,
        request.everyMs,
        request.cursor ? LANE_NUMBER[request.cursor.lane] : 1,
        request.cursor?.after ?? '',
        request.wakeEntryId ?? '',
        ...request.held,
      ],
    );
    const { now, ...answer } = reclaimAnswer(request.queue, reply);
    this.heard(now);
    return answer;
  }

  listConsumers(queue: string): Promise<readonly ConsumerInfo[]> {
    return this.inspection.consumers(this.keys(queue));
  }

  async removeConsumer(queue: string, consumer: string): Promise<boolean> {
    const { laneList, wake, control } = this.keys(queue);
    const keys = [...laneList, wake, control];
    return (await this.run('commands', scripts.removeConsumer, keys, [consumer])) === 1;
  }

  replay(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    const keys = this.keys(queue);
    return this.forDeadLetters(scripts.replay, keys, [...keys.laneList, keys.dead], letters);
  }

  deleteDeadLetters(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    const keys = this.keys(queue);
    return this.forDeadLetters(scripts.deleteDead, keys, [keys.dead], letters);
  }

  listDeadLetters(queue: string, after: string, limit: number): Promise<readonly DeadLetter[]> {
    return this.inspection.deadLetters(queue, this.keys(queue), after, Math.min(limit, PAGE));
  }

  listScheduled(queue: string, offset: number, limit: number): Promise<readonly ScheduledTask[]> {
    return this.inspection.scheduled(this.keys(queue), offset, Math.min(limit, PAGE));
  }

  async counts(queue: string): Promise<QueueCounts> {
    const keys = this.keys(queue);
    const [reply, consumers] = await Promise.all([
      this.run('commands', scripts.counts, [...keys.laneList, keys.scheduled, keys.dead], []),
      this.listConsumers(queue),
    ]);
    const { now, ...counts } = countsAnswer(reply);
    this.heard(now);
    return { ...counts, consumers: consumers.length };
  }

  find(queue: string, id: string): Promise<TaskPlace | undefined> {
    return this.inspection.find(queue, this.keys(queue), id);
  }

  async ping(): Promise<number> {
    const start = monotonicMs();
    await this.command('commands', (client) => client.ping());
    return monotonicMs() - start;
  }

  onReconnect(listener: (link: string) => void): () => void {
    return this.links.onReconnect(listener);
  }

  close(): Promise<void> {
    return this.links.close();
  }

  private async forDeadLetters(
    script: Script,
    keys: QueueKeys,
    fixed: readonly string[],
    letters: readonly DeadLetterRef[],
  ): Promise<number> {
    let done = 0;
    for (let i = 0; i < letters.length; i += PAGE) {
      const list = new KeyList(fixed);
      const args = letters.slice(i, i + PAGE).flatMap(({ entryId, id }) => {
        const { key, field } = keys.index(id);
        return [entryId, list.position(key), field];
      });
      done += Number(await this.run('commands', script, list.keys, args));
    }
    return done;
  }

  private async blockingRead(
    request: FetchRequest,
    keys: readonly string[],
  ): Promise<[string, RawEntry[]][]> {
    const link = await this.links.ready('blocking');
    if (this.blockingId === undefined) {
      link.once('close', () => (this.blockingId = undefined));
      this.blockingId = await this.command('blocking', (client) => client.client('ID'));
    }
    // A link whose other end is gone looks like a queue without tasks: judge it by its silence.
    const watchdog = setTimeout(() => this.links.rebuild(link), request.blockMs + WATCHDOG_MARGIN_MS);
    try {
      const reply = await this.command('blocking', (client) =>
        client.xreadgroup(
          'GROUP',
          GROUP,
          request.consumer,
          'COUNT',
          request.count,
          'BLOCK',
          request.blockMs,
          'STREAMS',
          ...keys,
          ...keys.map(() => '>'),
        ),
      );
      return reply ?? [];
    } finally {
      clearTimeout(watchdog);
    }
  }

  private keys(queue: string): QueueKeys {
    let keys = this.keysByQueue.get(queue);
    if (!keys) {
      keys = queueKeys(this.prefix, queue);
      this.keysByQueue.set(queue, keys);
    }
    return keys;
  }

  private async run(
    role: LinkRole,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const client = await this.links.ready(role);
    try {
      return await runScript(client, script, keys, args);
    } catch (error) {
      throw this.examined(client, error);
    }
  }

  private async command<T>(role: LinkRole, send: (client: Redis) => Promise<T>): Promise<T> {
    const client = await this.links.ready(role);
    try {
      return await send(client);
    } catch (error) {
      throw this.examined(client, error);
    }
  }

  /**
   * A command that waited in vain means that the other end is gone, whatever the socket thinks of itself: without a
   * new one every command to come would wait as long.
   */
  private examined(client: Redis, error: unknown): BrokerError {
    const broken = toBrokerError(error);
    if (broken instanceof BrokerTimeoutError && broken.reason === 'TIMEOUT') this.links.rebuild(client);
    return broken;
  }

  private heard(now: number): void {
    this.clockOffset = now - monotonicMs();
  }
}

function wakeReason(fields: readonly string[] | null): WakeReason {
  return fieldsOf(fields ?? []).why === 'released' ? 'released' : 'due';
}
