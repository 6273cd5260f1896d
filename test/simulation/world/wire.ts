import {
  type Broker,
  BrokerError,
  BrokerTimeoutError,
  type DataLoss,
  type Delivery,
  type LeaseGuard,
} from '@taskq/core';
import type { MemoryBroker } from '@taskq/testing';
import type { Applied, Witness } from '../facts.js';
import type { Machine } from './machine.js';
import type { Timeline } from './timeline.js';
import { LINK_OF, LINKS, type LinkName, REPEATABLE, type Request, type Verb } from './verbs.js';
import type { Journey, Weather } from './weather.js';

/** What a wire is made of. */
export interface WireParts {
  readonly timeline: Timeline;
  readonly machine: Machine;
  readonly weather: Weather;
  /** The end at the store: goes down and comes back with the wire. */
  readonly store: MemoryBroker;
  /** The same end as calls see it; stands in front of `store`. */
  readonly front: Broker;
  /** For calls that arrive though their wire is gone: applied, and answered to nobody. */
  readonly stray: Broker;
  readonly witness: Witness;
  /** Counts the servers that there were: what was sent to an earlier one reaches nobody. */
  readonly server: () => number;
  /** Counts the runs of servers: a restart and a failover begin one, and whoever is connected anew is told which it is. */
  readonly run: () => number;
  /** How long a process waits for an answer. */
  readonly timeoutMs: number;
}

/** A call under way, as its process sees it. */
interface Pending {
  readonly verb: Verb;
  readonly request: Request<Verb>;
  readonly expiresAt: number;
  readonly server: number;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  open: boolean;
  arrived: boolean;
}

type ReconnectListener = Parameters<Broker['onReconnect']>[0];

/**
 * What lies between a process and its store, as a broker: each call travels there and back, in order on its
 * connection, and may be lost on either way. What the engine has in place of Redis, and of the adapter for it.
 */
export class Wire implements Broker {
  private state: 'up' | 'down' | 'closed' = 'up';
  private readonly pending = new Set<Pending>();
  private readonly arrivesAt: Record<LinkName, number> = { commands: 0, blocking: 0, maintenance: 0 };
  private readonly answersAt: Record<LinkName, number> = { commands: 0, blocking: 0, maintenance: 0 };
  private readonly reconnectListeners = new Set<ReconnectListener>();
  /** The run of a server that was reached last. */
  private run: number;

  constructor(private readonly parts: WireParts) {
    const { store, machine } = parts;
    this.run = parts.run();
    store.onReconnect((...news) => {
      for (const listener of this.reconnectListeners) listener(...news);
    });
    machine.onThaw(() => this.expireAll());
  }

  /** Calls under way. */
  get underWay(): number {
    return this.pending.size;
  }

  get down(): boolean {
    return this.state === 'down';
  }

  /** Loses every connection; calls under way fail, and some of them arrive nevertheless. */
  lose(strays = true): void {
    const { store, machine, timeline, weather } = this.parts;
    if (this.state !== 'up') return;
    this.state = 'down';
    const lost = [...this.pending];
    for (const call of lost) {
      call.open = false;
      // A read that waits may go on doing so: the store has not noticed yet that nobody is there.
      const onItsWay = !call.arrived || call.verb === 'fetch';
      const survives = onItsWay && strays && weather.survives();
      if (survives) timeline.after(weather.journey().lateMs, () => this.stray(call));
    }
    store.disconnect();
    for (const link of LINKS) this.arrivesAt[link] = this.answersAt[link] = 0;
    timeline.after(weather.pauseMs(), () =>
      machine.enter(() => {
        for (const call of lost) this.fail(call, new BrokerTimeoutError('LINK', 'link lost', RETRYABLE));
      }),
    );
  }

  /** Gets the connections back, when the process runs. */
  regain(): void {
    const { machine, store, run, witness } = this.parts;
    machine.enter(() => {
      if (this.state !== 'down') return;
      this.state = 'up';
      const elsewhere = this.run !== run();
      this.run = run();
      witness({
        kind: 'blow',
        blow: 'reconnected',
        on: machine.name,
        detail: elsewhere ? 'elsewhere' : '',
      });
      store.reconnect(elsewhere);
    });
  }

  /** The process is gone, and the store has noticed. */
  cut(): void {
    this.state = 'closed';
    this.parts.store.disconnect();
  }

  now(): number {
    return this.parts.store.now();
  }

  openForWork(...request: Request<'openForWork'>) {
    return this.call('openForWork', request);
  }

  ensureQueue(...request: Request<'ensureQueue'>) {
    return this.call('ensureQueue', request);
  }

  recordedPartitions(...request: Request<'recordedPartitions'>) {
    return this.call('recordedPartitions', request);
  }

  recordPartitions(...request: Request<'recordPartitions'>) {
    return this.call('recordPartitions', request);
  }

  enqueue(...request: Request<'enqueue'>) {
    return this.call('enqueue', request);
  }

  resolveGroup(...request: Request<'resolveGroup'>) {
    return this.call('resolveGroup', request);
  }

  fetchGroups(...request: Request<'fetchGroups'>) {
    return this.call('fetchGroups', request);
  }

  fetch(...request: Request<'fetch'>) {
    return this.call('fetch', request);
  }

  settle(...request: Request<'settle'>) {
    return this.call('settle', request);
  }

  extend(...request: Request<'extend'>) {
    return this.call('extend', request);
  }

  takeDuties(...request: Request<'takeDuties'>) {
    return this.call('takeDuties', request);
  }

  promote(...request: Request<'promote'>) {
    return this.call('promote', request);
  }

  sweepsDue(...request: Request<'sweepsDue'>) {
    return this.call('sweepsDue', request);
  }

  reclaim(...request: Request<'reclaim'>) {
    return this.call('reclaim', request);
  }

  cleaningDue(...request: Request<'cleaningDue'>) {
    return this.call('cleaningDue', request);
  }

  listConsumers(...request: Request<'listConsumers'>) {
    return this.call('listConsumers', request);
  }

  removeConsumer(...request: Request<'removeConsumer'>) {
    return this.call('removeConsumer', request);
  }

  replay(...request: Request<'replay'>) {
    return this.call('replay', request);
  }

  deleteDeadLetters(...request: Request<'deleteDeadLetters'>) {
    return this.call('deleteDeadLetters', request);
  }

  listDeadLetters(...request: Request<'listDeadLetters'>) {
    return this.call('listDeadLetters', request);
  }

  listScheduled(...request: Request<'listScheduled'>) {
    return this.call('listScheduled', request);
  }

  counts(...request: Request<'counts'>) {
    return this.call('counts', request);
  }

  find(...request: Request<'find'>) {
    return this.call('find', request);
  }

  ping() {
    return this.call('ping', []);
  }

  /** The word for it is sent and forgotten: it may be lost, or come too soon. */
  async interruptFetch(part?: string): Promise<void> {
    const { timeline, weather, store } = this.parts;
    const { fate, thereMs } = weather.journey();
    if (this.state !== 'up' || fate !== 'answered') return;
    timeline.after(thereMs, () => void store.interruptFetch(part));
  }

  async endFetch(part?: string): Promise<void> {
    await this.parts.store.endFetch(part);
  }

  onReconnect(listener: ReconnectListener): () => void {
    this.reconnectListeners.add(listener);
    return () => this.reconnectListeners.delete(listener);
  }

  onDataLoss(listener: (loss: DataLoss) => void): () => void {
    const { store, machine } = this.parts;
    return store.onDataLoss((loss) => machine.enter(() => listener(loss)));
  }

  guardLeases(): LeaseGuard | undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.state = 'closed';
    await this.parts.store.close();
    for (const call of this.pending) this.fail(call, new BrokerError('CLOSED', 'the broker is closed'));
  }

  private call<V extends Verb>(verb: V, request: Request<V>): ReturnType<Broker[V]> {
    const answer = new Promise((resolve, reject) =>
      // A frozen process is about to send: it does so when it is thawed.
      this.parts.machine.enter(() => this.send(verb, request, resolve, reject)),
    );
    return answer as ReturnType<Broker[V]>;
  }

  private send(
    verb: Verb,
    request: Request<Verb>,
    resolve: (answer: never) => void,
    reject: (error: Error) => void,
  ): void {
    const { timeline, weather, witness, machine } = this.parts;
    if (this.state === 'closed') return reject(new BrokerError('CLOSED', 'the broker is closed'));
    if (this.state === 'down') return reject(new BrokerError('UNAVAILABLE', 'not connected', RETRYABLE));
    const journey = weather.journey();
    const waitsMs = verb === 'fetch' ? (request as Request<'fetch'>)[0].blockMs : 0;
    const expiresAt = timeline.now + waitsMs + this.parts.timeoutMs;
    const server = this.parts.server();
    const call: Pending = { verb, request, expiresAt, server, resolve, reject, open: true, arrived: false };
    this.pending.add(call);
    if (journey.fate !== 'answered') witness({ kind: 'journey', by: machine.name, verb, fate: journey.fate });
    this.travel(call, journey);
    const inTime = journey.fate === 'answered' && journey.thereMs + journey.backMs < this.parts.timeoutMs / 4;
    if (!inTime) timeline.at(expiresAt, () => machine.enter(() => this.expire(call)));
  }

  private travel(call: Pending, journey: Journey): void {
    const { timeline } = this.parts;
    const { fate, thereMs, lateMs } = journey;
    if (fate === 'request lost') return;
    if (fate === 'late') return timeline.at(call.expiresAt + lateMs, () => this.stray(call));
    const link = LINK_OF[call.verb];
    const arrivesAt = Math.max(this.arrivesAt[link], timeline.now + thereMs);
    this.arrivesAt[link] = arrivesAt;
    timeline.at(arrivesAt, () => this.arrive(call, journey));
    if (fate === 'twice' && REPEATABLE.has(call.verb))
      timeline.at(arrivesAt + lateMs / 10, () => this.stray(call));
  }

  private arrive(call: Pending, { fate, backMs }: Journey): void {
    if (this.state !== 'up' || !call.open) return;
    call.arrived = true;
    const { timeline, machine, witness, front } = this.parts;
    const answered = (settle: () => void): void => {
      if (fate === 'reply lost') return;
      const link = LINK_OF[call.verb];
      const at = Math.max(this.answersAt[link], timeline.now + backMs);
      this.answersAt[link] = at;
      timeline.at(at, () => machine.enter(() => call.open && this.pending.delete(call) && settle()));
    };
    this.apply(front, call, false).then(
      (answer) =>
        answered(() => {
          const deliveries = deliveriesOf(answer);
          if (deliveries.length > 0) witness({ kind: 'received', by: machine.name, deliveries });
          call.resolve(answer as never);
        }),
      (error: unknown) => answered(() => call.reject(error as Error)),
    );
  }

  /** A request that nobody waits for any longer reaches the store. */
  private stray(call: Pending): void {
    if (call.server === this.parts.server()) this.apply(this.parts.stray, call, true).catch(() => undefined);
  }

  private async apply(broker: Broker, { verb, request }: Pending, late: boolean): Promise<unknown> {
    const by = this.parts.machine.name;
    try {
      const verbOf = broker[verb] as (...of: Request<Verb>) => Promise<unknown>;
      const answer = await verbOf.apply(broker, request);
      this.parts.witness({ kind: 'applied', by, call: { verb, request, answer } as Applied, late });
      return answer;
    } catch (error) {
      this.parts.witness({ kind: 'applied', by, call: { verb, request, error } as Applied, late });
      throw error;
    }
  }

  private expire(call: Pending): void {
    this.fail(call, new BrokerTimeoutError('TIMEOUT', 'no answer in time', RETRYABLE));
  }

  /** Timers come before sockets: what should have been answered long ago is given up first. */
  private expireAll(): void {
    for (const call of this.pending)
      if (call.open && call.expiresAt <= this.parts.timeline.now) this.expire(call);
  }

  private fail(call: Pending, error: Error): void {
    call.open = false;
    if (this.pending.delete(call)) call.reject(error);
  }
}

const RETRYABLE = { retryable: true };

function deliveriesOf(answer: unknown): readonly Delivery[] {
  return (answer as { deliveries?: readonly Delivery[] } | undefined)?.deliveries ?? [];
}
