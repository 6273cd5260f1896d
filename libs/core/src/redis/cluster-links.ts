import { Cluster, type Redis } from 'ioredis';
import { BrokerError, RedisUnusableError } from '../contract/errors.js';
import { slotOf } from '../contract/hash-slot.js';
import type { ResolvedRedisOptions } from '../policy/redis-options.js';
import { monotonicMs, sleep, systemClock } from '../runtime/clock.js';
import { ClusterTopology } from './cluster-topology.js';
import { addressOf, clusterSeeds, describeEndpoint, type Endpoint } from './endpoint.js';
import type { ArrivalListener, LinkRole, Links, ReconnectListener } from './links.js';
import { NodeLinks } from './node-links.js';
import type { Unreachable } from './why-not.js';

/** Pause between two looks at who has which slots. */
const REFRESH_PAUSE_MS = 100;

/** Longest wait for a node to say who has which slots: another may answer sooner. */
const ASK_MS = 500;

/** Longest wait for a link to a node that is just being found. */
const OPEN_MS = 1000;

/** Errors after which it is asked anew who has which slots: they may be elsewhere by now. */
const ELSEWHERE = /^(MOVED|ASK|CLUSTERDOWN|READONLY|MASTERDOWN|LOADING|UNBLOCKED)\b/;

/**
 * The links to a Cluster: to each primary those that a single server would have, so that every rule about links holds
 * for each. A queue lives in one slot; where that is, is asked anew whenever a server says that it is not there, or
 * does not answer.
 */
export class ClusterLinks implements Links {
  readonly several = true;
  private readonly seeds: readonly Endpoint[];
  private readonly nodes = new Map<string, NodeLinks>();
  private readonly nodeOf = new WeakMap<Redis, NodeLinks>();
  private readonly opening = new WeakMap<NodeLinks, Promise<unknown>>();
  private readonly topology = new ClusterTopology();
  private readonly slots = new Map<string, number>();
  /** Where the queues in use were last. */
  private readonly homes = new Map<string, string>();
  /** Parts of blocking reads, by the queue that names them. */
  private readonly parts = new Map<string, Set<string>>();
  private readonly reconnectListeners = new Set<ReconnectListener>();
  private readonly arrivalListeners = new Set<ArrivalListener>();
  private refreshing: Promise<void> | undefined;
  private applicationClient: Cluster | undefined;
  private closed = false;

  constructor(
    private readonly options: ResolvedRedisOptions,
    private readonly random: () => number,
  ) {
    this.seeds = clusterSeeds(options);
  }

  get target(): string {
    return `cluster of ${this.seeds.map(describeEndpoint).join(', ')}`;
  }

  /** A client for an application's own use, which finds the right server for each key by itself. */
  get client(): Cluster {
    const { options } = this;
    this.applicationClient ??= new Cluster(
      this.seeds.map(({ host, port }) => ({ host, port })),
      { lazyConnect: true, redisOptions: { ...this.access, connectTimeout: options.connectTimeoutMs } },
    );
    return this.applicationClient;
  }

  /** Waits until every slot has an owner that answers: a Cluster may be just failing over, or starting. */
  async connect(): Promise<void> {
    const deadline = monotonicMs() + this.options.connectTimeoutMs;
    for (;;) {
      const missing = await this.missing(deadline);
      if (missing === undefined) break;
      if (monotonicMs() >= deadline) {
        throw new RedisUnusableError(
          `cannot reach the Redis ${this.target} within ${this.options.connectTimeoutMs} ms: ${missing}`,
          { fix: 'start or mend it (redis-cli --cluster check), or set redis.cluster to nodes that answer' },
        );
      }
      await sleep(systemClock, REFRESH_PAUSE_MS);
    }
    await this.leave();
  }

  servers(): readonly Redis[] {
    return this.owners().map((owner) => this.node(owner).commands);
  }

  async ready(role: LinkRole, queue: string, part = ''): Promise<Redis> {
    if (this.closed) throw new BrokerError('CLOSED', 'the broker is closed');
    const owner = this.ownerOf(queue);
    if (owner === undefined) {
      this.refresh();
      throw new BrokerError('UNAVAILABLE', `no server has the slot of queue "${queue}"`, { retryable: true });
    }
    const home = this.homes.get(queue);
    if (home === undefined) this.homes.set(queue, owner);
    else if (home !== owner) this.announceMoves();
    if (role === 'blocking') this.partsOf(queue).add(part);
    const node = this.node(owner);
    try {
      const link = await node.ready(role, queue, part);
      this.nodeOf.set(link, node);
      if (role === 'commands' && link.status !== 'ready') {
        this.refresh();
        await this.opened(node);
      }
      return link;
    } catch (error) {
      this.refresh();
      throw error;
    }
  }

  async dropPart(part: string): Promise<void> {
    for (const parts of this.parts.values()) parts.delete(part);
    await Promise.all([...this.nodes.values()].map((node) => node.dropPart(part)));
  }

  /** Redis reads streams of one slot together, never of two, even where one server has both. */
  together(queues: readonly string[]): Promise<readonly (readonly string[])[]> {
    const parts = new Map<number, string[]>();
    for (const queue of queues) {
      const slot = this.slot(queue);
      parts.set(slot, [...(parts.get(slot) ?? []), queue]);
    }
    return Promise.resolve([...parts.values()]);
  }

  heard(link: Redis): void {
    this.nodeOf.get(link)?.heard(link);
  }

  met(link: Redis, error: Error): void {
    const node = this.nodeOf.get(link);
    node?.met(link, error);
    const moved = this.topology.redirect(error.message, node?.host ?? '');
    if (moved) this.announceMoves();
    if (moved || ELSEWHERE.test(error.message) || link.status !== 'ready') this.refresh();
  }

  rebuild(link: Redis): void {
    this.nodeOf.get(link)?.rebuild(link);
    this.refresh();
  }

  onReconnect(listener: ReconnectListener): () => void {
    this.reconnectListeners.add(listener);
    return () => this.reconnectListeners.delete(listener);
  }

  onArrival(listener: ArrivalListener): () => void {
    this.arrivalListeners.add(listener);
    return () => this.arrivalListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.applicationClient?.disconnect();
    await Promise.all([...this.nodes.values()].map((node) => node.close()));
    await this.refreshing;
  }

  /** One look at the whole: what keeps it from being used, if anything. @throws RedisUnusableError when it never can be */
  private async missing(deadline: number): Promise<string | undefined> {
    const limitMs = (): number => Math.max(1, Math.min(OPEN_MS, deadline - monotonicMs()));
    const silent: string[] = [];
    for (const address of this.seeds.map(describeEndpoint)) {
      const failure = await this.learnFrom(address, limitMs());
      if (failure === undefined) break;
      const { why, hopeless, fix } = failure;
      if (/cluster support disabled/.test(why)) throw noCluster(address);
      if (hopeless) throw new RedisUnusableError(`Redis at ${address}: ${why}`, { ...(fix && { fix }) });
      silent.push(`${address}: ${why}`);
    }
    if (silent.length === this.seeds.length) return silent.join('; ');
    const { unowned } = this.topology;
    if (unowned.length > 0) return `no node has slots ${unowned.join(', ')}`;
    const closed = await Promise.all(
      this.owners().map(async (owner) => {
        const failure = await this.node(owner).open(limitMs());
        return failure && `${owner} has slots: ${failure.why}`;
      }),
    );
    return closed.filter((one) => one !== undefined).join('; ') || undefined;
  }

  /** Looks anew who has which slots, unless that is being done. */
  private refresh(): void {
    if (this.closed) return;
    this.refreshing ??= this.refreshOnce().finally(() => (this.refreshing = undefined));
  }

  private async refreshOnce(): Promise<void> {
    for (const address of this.whomToAsk()) {
      if (this.closed) return;
      if ((await this.learnFrom(address, ASK_MS)) === undefined) break;
    }
    if (this.closed) return; // what is opened now would never be closed
    this.announceMoves();
    for (const link of this.servers()) if (link.status === 'wait') void link.connect().catch(() => undefined);
    await this.leave();
    await sleep(systemClock, REFRESH_PAUSE_MS * (0.5 + this.random()));
  }

  /** Those first that answered last: one that hangs says nothing, and takes its time. */
  private whomToAsk(): ReadonlySet<string> {
    const heardAt = (address: string): number => this.nodes.get(address)?.lastHeardAt ?? 0;
    const owners = this.owners().toSorted((a, b) => heardAt(b) - heardAt(a));
    return new Set([...owners, ...this.seeds.map(describeEndpoint)]);
  }

  /** Asks a node who has which slots. Answers what is wrong when it does not say. */
  private async learnFrom(address: string, limitMs: number): Promise<Unreachable | undefined> {
    const node = this.node(address);
    try {
      const failure = await node.open(limitMs, { once: true });
      if (failure) return failure;
      const link = node.commands;
      const slots = await within(limitMs, link.cluster('SLOTS'));
      node.heard(link);
      this.topology.replace(slots, node.host);
      return slots.length > 0 ? undefined : { why: 'it knows of no slots', hopeless: false };
    } catch (error) {
      return { why: (error as Error).message, hopeless: false };
    }
  }

  /**
   * A queue that lives elsewhere now: for its workers and producers that is a link that was lost and is back. What
   * still blocks where it was, would never hear of it again.
   */
  private announceMoves(): void {
    let awayMs = 0;
    let moved = false;
    for (const [queue, home] of this.homes) {
      const owner = this.ownerOf(queue);
      if (owner === undefined || owner === home) continue;
      moved = true;
      this.homes.set(queue, owner);
      const left = this.nodes.get(home);
      awayMs = Math.max(awayMs, left?.awayMs ?? 0);
      for (const part of this.partsOf(queue)) void left?.dropPart(part);
    }
    if (!moved) return;
    for (const role of ['commands', 'maintenance', 'blocking'] as const)
      this.tell(role, Number.POSITIVE_INFINITY, awayMs);
  }

  /** Closes links to servers without slots; one that comes back as a replica is none of our business. */
  private async leave(): Promise<void> {
    const owners = this.topology.primaries;
    const left = [...this.nodes].filter(([address]) => !owners.has(address));
    for (const [address] of left) this.nodes.delete(address);
    await Promise.all(left.map(([, node]) => node.close()));
  }

  private node(address: string): NodeLinks {
    let node = this.nodes.get(address);
    if (!node) {
      const endpoint = { ...this.access, ...addressOf(address) };
      node = new NodeLinks({ options: this.options, endpoint, random: this.random });
      node.onReconnect((role, silentMs, awayMs) => {
        // A server that has nothing of ours is not heard of for long, and that means nothing.
        if ([...this.homes.values()].includes(address)) this.tell(role, silentMs, awayMs);
      });
      node.onArrival((link) => {
        for (const listener of this.arrivalListeners) listener(link);
      });
      this.nodes.set(address, node);
      this.nodeOf.set(node.commands, node);
    }
    return node;
  }

  /** However many wait for a node's first link, they wait together. */
  private async opened(node: NodeLinks): Promise<void> {
    const opening = this.opening.get(node) ?? node.open(Math.min(OPEN_MS, this.options.connectTimeoutMs));
    this.opening.set(node, opening);
    const failure = await opening.finally(() => this.opening.delete(node));
    if (failure) throw new BrokerError('UNAVAILABLE', 'Redis is not connected', { retryable: true });
  }

  private slot(queue: string): number {
    let slot = this.slots.get(queue);
    if (slot === undefined) {
      slot = slotOf(queue);
      this.slots.set(queue, slot);
    }
    return slot;
  }

  private ownerOf(queue: string): string | undefined {
    return this.topology.ownerOf(this.slot(queue));
  }

  private partsOf(queue: string): Set<string> {
    const parts = this.parts.get(queue) ?? new Set();
    this.parts.set(queue, parts);
    return parts;
  }

  private owners(): readonly string[] {
    return [...this.topology.primaries];
  }

  private tell(role: LinkRole, silentMs: number, awayMs: number): void {
    for (const listener of this.reconnectListeners) listener(role, silentMs, awayMs);
  }

  /** User, password and TLS, which are the same for every node. */
  private get access(): Endpoint {
    const { host: _host, port: _port, path: _path, ...access } = this.seeds[0]!;
    return access;
  }
}

function noCluster(address: string): RedisUnusableError {
  return new RedisUnusableError(`Redis at ${address} is no Cluster`, {
    fix: 'set redis.url or redis.addr for a single server, and leave redis.cluster out',
  });
}

/** The answer, unless it takes longer than `ms`. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const over = new AbortController();
  answer.catch(() => undefined); // it may fail when nobody waits for it any more
  try {
    return await Promise.race([
      answer,
      sleep(systemClock, ms, over.signal).then(() => {
        throw new Error(`no answer within ${Math.round(ms)} ms`);
      }),
    ]);
  } finally {
    over.abort();
  }
}
