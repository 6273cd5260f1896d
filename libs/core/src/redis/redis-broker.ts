import type { Cluster, Redis } from 'ioredis';
import type {
  Broker,
  CleaningRequest,
  ConsumerInfo,
  DeadLetter,
  DeadLetterRef,
  Delivery,
  DutyAnswer,
  DutyRequest,
  EnqueueAnswer,
  EnqueueGroup,
  EnqueueReply,
  FetchAnswer,
  FetchRequest,
  GroupRef,
  LaneQuota,
  Lease,
  PartitionsRecord,
  PromoteAnswer,
  PromoteRequest,
  QueueCounts,
  ReclaimAnswer,
  ReclaimRequest,
  ScheduledTask,
  SettleAnswer,
  SettleRequest,
  SweepAnswer,
  SweepRequest,
  TaskPlace,
} from '../broker/broker.js';
import type { GuardRequest, LeaseGuard } from '../broker/lease-guard.js';
import type { DataLoss } from '../contract/data-loss.js';
import { type Lane, LANES } from '../contract/lane.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import { GROUP_BYTES } from '../policy/group-size.js';
import { monotonicMs } from '../runtime/clock.js';
import { Calls } from './calls.js';
import { ClusterLinks } from './cluster-links.js';
import { DataWatch } from './data-watch.js';
import { DurabilityGate } from './durability-gate.js';
import { Eras } from './eras.js';
import { Fetches } from './fetches.js';
import { Inspection } from './inspection.js';
import { KeyList, type QueueKeys, queueKeys } from './keys.js';
import { guardByThread } from './lease-guard.js';
import type { Links } from './links.js';
import { openLinks } from './open-links.js';
import { Promotions } from './promotions.js';
import {
  countsAnswer,
  enqueueReply,
  lostLeases,
  reclaimAnswer,
  resolvedAnswers,
  settleAnswer,
} from './replies.js';
import { enqueueCall, leaseArgs, reclaimCall, RECORD_TTL_MS, settleCall } from './requests.js';
import type { Script } from './run-script.js';
import { scripts } from './scripts.generated.js';
import { ServerClock } from './server-clock.js';
import type { ServerFacts } from './server-check.js';
import { ServerWatch } from './server-watch.js';
import { Surveys } from './surveys.js';

/** Dead letters moved or leases renewed by one script call. */
const PAGE = 100;

/** The broker on Redis: every verb is one script, or one command that is atomic by itself. */
export class RedisBroker implements Broker {
  private readonly keysByQueue = new Map<string, QueueKeys>();
  private readonly inspection: Inspection;
  private readonly durability: DurabilityGate;
  private readonly calls: Calls;
  private readonly eras: Eras;
  private readonly fetches: Fetches;
  private readonly promotions: Promotions;
  private readonly surveys: Surveys;
  private readonly watch: DataWatch;
  private readonly clock = new ServerClock(Date.now() - monotonicMs());

  private constructor(
    private readonly links: Links,
    private readonly options: ResolvedEngineOptions,
    private readonly servers: ServerWatch,
    /** What was found when connecting; in a Cluster, at the first server. */
    readonly server: ServerFacts,
  ) {
    this.calls = new Calls(links);
    this.inspection = new Inspection(this.calls);
    this.durability = new DurabilityGate(this.calls, options.redis.commandTimeoutMs);
    this.watch = new DataWatch(this.calls, (queue) => this.keys(queue));
    const keysOf = (queue: string): QueueKeys => this.keys(queue);
    this.eras = new Eras(this.calls, this.watch, keysOf);
    this.fetches = new Fetches({ links, eras: this.eras, watch: this.watch, keysOf });
    const heard = (queue: string, now: number, sentAt: number): void => this.heard(queue, now, sentAt);
    this.promotions = new Promotions(this.calls, keysOf, heard);
    this.surveys = new Surveys(this.calls, keysOf, heard);
  }

  /**
   * Connects, and looks whether the server can be trusted with tasks.
   * @throws RedisUnusableError when it cannot be reached in time, or is unfit and the options say to refuse it
   */
  static async connect(
    options: ResolvedEngineOptions,
    report: { random: () => number; warn: (message: string) => void },
  ): Promise<RedisBroker> {
    const links = openLinks(options.redis, report.random);
    try {
      await links.connect();
      const servers = new ServerWatch({ links, options, warn: report.warn });
      const [first] = await servers.begin();
      return new RedisBroker(links, options, servers, first!);
    } catch (error) {
      await links.close();
      throw error;
    }
  }

  /** Host and port, or path, of the server; the nodes asked first of a Cluster. */
  get target(): string {
    return this.links.target;
  }

  /**
   * The connection for commands, for an application's own use; of a Cluster, a client that finds each key's server.
   * Do not block on it or close it.
   */
  get client(): Redis | Cluster {
    return this.links instanceof ClusterLinks ? this.links.client : this.links.servers()[0]!;
  }

  /**
   * What is wrong with servers reached since the start, as after a failover, in sentences: what would have been refused
   * at the start (`redis.unsafe`, `redis.persistence`). They are used all the same.
   */
  get unfit(): readonly string[] {
    return this.servers.unfit;
  }

  now(queue?: string): number {
    return this.clock.at(monotonicMs(), queue);
  }

  async openForWork(queues: readonly string[]): Promise<void> {
    await Promise.all(queues.map((queue) => this.links.ready('maintenance', queue)));
  }

  ensureQueue(queue: string): Promise<boolean> {
    return this.eras.make(queue);
  }

  async recordedPartitions(queue: string): Promise<number | undefined> {
    const { control } = this.keys(queue);
    const recorded = await this.calls.command(queue, (client) => client.hget(control, 'partitions'));
    return recorded === null ? undefined : Number(recorded);
  }

  async recordPartitions({ queue, partitions, otherwise, known }: PartitionsRecord): Promise<number> {
    const { laneList, dead, scheduled, control } = this.keys(queue);
    const keys = [...laneList, dead, scheduled, control];
    const args = [partitions, otherwise, known ?? ''];
    return Number(await this.calls.run('commands', queue, scripts.recordPartitions, keys, args));
  }

  async enqueue(group: EnqueueGroup): Promise<EnqueueReply> {
    const { queue, durability, channel, sequence } = group;
    if (durability !== 'accepted') await this.durability.admit(queue, durability);
    const keys = this.keys(queue);
    const call = enqueueCall(keys, group);
    const reply = enqueueReply(
      String(await this.calls.run('commands', queue, scripts.enqueue, call.keys, call.args)),
    );
    if (reply.lostAfter !== undefined) this.eras.missed(queue);
    if (durability !== 'accepted')
      await this.durability.reached(queue, durability, keys.producer(channel), sequence);
    return reply;
  }

  async resolveGroup(group: GroupRef): Promise<readonly EnqueueAnswer[] | undefined> {
    const { queue, channel, sequence, durability = 'accepted' } = group;
    const record = this.keys(queue).producer(channel);
    const reply = await this.calls.run(
      'commands',
      queue,
      scripts.resolve,
      [record],
      [sequence, RECORD_TTL_MS],
    );
    const answers = resolvedAnswers(String(reply));
    if (answers && durability !== 'accepted')
      await this.durability.reached(queue, durability, record, sequence);
    return answers;
  }

  fetchGroups(queues: readonly string[]): Promise<readonly (readonly string[])[]> {
    return this.links.together(queues);
  }

  fetch(request: FetchRequest): Promise<FetchAnswer> {
    return this.fetches.fetch(request);
  }

  interruptFetch(part = ''): Promise<void> {
    return this.fetches.interrupt(part);
  }

  endFetch(part = ''): Promise<void> {
    return this.fetches.end(part);
  }

  async settle(request: SettleRequest): Promise<SettleAnswer> {
    const { queue } = request;
    if (request.want.total > 0 && !this.eras.has(queue)) await this.eras.of(queue);
    const connection = this.eras.connection;
    const { groupMissing, ...told } = await this.settleOnce(request);
    const answer = { ...told, deliveries: await this.eras.certain(told.deliveries, connection) };
    if (!groupMissing) return { ...answer, recreated: false };
    const recreated = await this.eras.make(queue);
    const want = stillWanted(request.want, answer.deliveries);
    const { deliveries } = await this.settleOnce({ ...request, outcomes: [], want });
    return { ...answer, deliveries: [...answer.deliveries, ...deliveries], recreated };
  }

  async extend(queue: string, consumer: string, leases: readonly Lease[]): Promise<readonly Lease[]> {
    const { laneList } = this.keys(queue);
    const lost: Lease[] = [];
    for (let i = 0; i < leases.length; i += PAGE) {
      const page = leases.slice(i, i + PAGE);
      const sentAt = monotonicMs();
      const reply = await this.calls.run('maintenance', queue, scripts.extend, laneList, [
        consumer,
        ...leaseArgs(page),
      ]);
      const answer = lostLeases(page, reply);
      this.heard(queue, answer.now, sentAt);
      lost.push(...answer.lost);
    }
    return lost;
  }

  takeDuties(request: DutyRequest): Promise<DutyAnswer> {
    return this.surveys.takeDuties(request);
  }

  promote(request: PromoteRequest): Promise<PromoteAnswer> {
    return this.promotions.promote(request);
  }

  sweepsDue(request: SweepRequest): Promise<SweepAnswer> {
    return this.surveys.sweepsDue(request);
  }

  async reclaim(request: ReclaimRequest): Promise<ReclaimAnswer> {
    const { queue } = request;
    await this.eras.of(queue);
    const { connection } = this.eras;
    const { keys, args } = reclaimCall(this.keys(queue), request);
    const sentAt = monotonicMs();
    const reply = await this.calls.run('maintenance', queue, scripts.reclaim, keys, args);
    const { now, ...answer } = reclaimAnswer(queue, reply);
    this.heard(queue, now, sentAt);
    return { ...answer, deliveries: await this.eras.certain(answer.deliveries, connection) };
  }

  cleaningDue(request: CleaningRequest): Promise<readonly string[]> {
    return this.surveys.cleaningDue(request);
  }

  listConsumers(queue: string): Promise<readonly ConsumerInfo[]> {
    return this.inspection.consumers(queue, this.keys(queue));
  }

  async removeConsumer(queue: string, consumer: string): Promise<boolean> {
    const { laneList, wake, control } = this.keys(queue);
    const keys = [...laneList, wake, control];
    return (await this.calls.run('commands', queue, scripts.removeConsumer, keys, [consumer])) === 1;
  }

  replay(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    const keys = this.keys(queue);
    return this.forDeadLetters(queue, scripts.replay, keys, [...keys.laneList, keys.dead], letters, [
      GROUP_BYTES,
    ]);
  }

  deleteDeadLetters(queue: string, letters: readonly DeadLetterRef[]): Promise<number> {
    const keys = this.keys(queue);
    return this.forDeadLetters(queue, scripts.deleteDead, keys, [keys.dead], letters);
  }

  listDeadLetters(queue: string, after: string, limit: number): Promise<readonly DeadLetter[]> {
    return this.inspection.deadLetters(queue, this.keys(queue), after, Math.min(limit, PAGE));
  }

  listScheduled(queue: string, offset: number, limit: number): Promise<readonly ScheduledTask[]> {
    return this.inspection.scheduled(queue, this.keys(queue), offset, Math.min(limit, PAGE));
  }

  async counts(queue: string): Promise<QueueCounts> {
    const keys = this.keys(queue);
    const sentAt = monotonicMs();
    const [reply, consumers] = await Promise.all([
      this.calls.run('commands', queue, scripts.counts, [...keys.laneList, keys.scheduled, keys.dead], []),
      this.listConsumers(queue),
    ]);
    const { now, ...counts } = countsAnswer(reply);
    this.heard(queue, now, sentAt);
    return { ...counts, consumers: consumers.length };
  }

  find(queue: string, id: string): Promise<TaskPlace | undefined> {
    return this.inspection.find(queue, this.keys(queue), id);
  }

  async ping(): Promise<number> {
    const start = monotonicMs();
    await Promise.all(this.links.servers().map((link) => this.calls.on(link, (client) => client.ping())));
    return monotonicMs() - start;
  }

  onReconnect(listener: (link: string, silentMs: number, awayMs?: number) => void): () => void {
    return this.links.onReconnect(listener);
  }

  onDataLoss(listener: (loss: DataLoss) => void): () => void {
    return this.watch.onLoss(listener);
  }

  guardLeases(request: GuardRequest): LeaseGuard | undefined {
    return guardByThread(request, this.options);
  }

  close(): Promise<void> {
    this.servers.close();
    return this.links.close();
  }

  private async forDeadLetters(
    queue: string,
    script: Script,
    keys: QueueKeys,
    fixed: readonly string[],
    letters: readonly DeadLetterRef[],
    limits: readonly number[] = [],
  ): Promise<number> {
    let total = 0;
    for (let i = 0; i < letters.length;) {
      const list = new KeyList(fixed);
      const args = letters.slice(i, i + PAGE).flatMap(({ entryId, id }) => {
        const { key, field } = keys.index(id);
        return [entryId, list.position(key), field];
      });
      const reply = await this.calls.run('commands', queue, script, list.keys, [...limits, ...args]);
      const [done, looked] = reply as [number, number];
      total += done;
      i += looked;
    }
    return total;
  }

  private async settleOnce(request: SettleRequest) {
    const { keys, args, done } = settleCall(this.keys(request.queue), request);
    const sentAt = monotonicMs();
    // Not after the queue, where it moves: it leases, and the era is known only where it was asked for.
    const reply = await this.calls.run('commands', request.queue, scripts.settle, keys, args, {
      follow: false,
    });
    const { now, newest, ...answer } = settleAnswer(request.queue, done, reply);
    this.heard(request.queue, now, sentAt);
    for (const lane of LANES) this.watch.saw(request.queue, lane, newest[lane]);
    return answer;
  }

  private keys(queue: string): QueueKeys {
    let keys = this.keysByQueue.get(queue);
    if (!keys) {
      keys = queueKeys(this.options.prefix, queue);
      this.keysByQueue.set(queue, keys);
    }
    return keys;
  }

  private heard(queue: string, now: number, sentAt: number): void {
    this.clock.heard(queue, now, sentAt, monotonicMs());
  }
}

/** What is left of a quota after some of it was delivered. */
function stillWanted(want: LaneQuota, delivered: readonly Delivery[]): LaneQuota {
  const left = (lane: Lane): number =>
    Math.max(0, want[lane] - delivered.filter((delivery) => delivery.lane === lane).length);
  const total = want.total - delivered.length;
  return { total, high: left('high'), normal: left('normal'), low: left('low') };
}
