import type { Broker } from '@taskq/core';
import { MemoryBroker, type MemorySnapshot, MemoryStore } from '@taskq/testing';
import { Dice } from '../../chaos/dice.js';
import type { Page } from '../book.js';
import type { Blow, Witness } from '../facts.js';
import type { Call, Node, Plan, Strike } from '../seed/plan.js';
import { Host } from './host.js';
import { Machine, WALL_START_MS } from './machine.js';
import type { Timeline } from './timeline.js';
import { Weather } from './weather.js';
import { Wire } from './wire.js';

/** Puts something between processes and the store, to see whether the laws notice. */
export type Tamper = (broker: Broker, store: MemoryStore) => Broker;

/** What is told of the store beside what calls do to it. */
export interface Ledger {
  page(): Page;
  /** The store is what it was then. */
  wentBack(page: Page): void;
  lostEverything(): void;
  lostLeases(queue: string): void;
  foreign(queue: string, id: string): void;
}

/** Processes, the store, and what lies between them: everything that a plan names, and what is done to it. */
export class World {
  readonly store: MemoryStore;
  /** How far the store's clock was set back, in all. */
  setBackMs = 0;
  private readonly weather: Weather;
  private readonly dice: Dice;
  private readonly hosts = new Set<Host>();
  private readonly calls: ReadonlyMap<number, Call>;
  private readonly starts = new Map<number, number>();
  private servers = 1;
  /** Counts the primaries: who followed an earlier one is not the next. */
  private primary = 1;
  /** Runs of servers, as far as they are told apart by those who connect. */
  private runs = 1;
  private born = 0;
  private awayUntil = 0;
  private closing = false;

  constructor(
    private readonly plan: Plan,
    private readonly timeline: Timeline,
    private readonly witness: Witness,
    private readonly ledger: Ledger,
    private readonly tamper: Tamper = (broker) => broker,
  ) {
    const dice = new Dice(plan.seed);
    this.dice = dice.split(1);
    this.weather = new Weather(plan.climate, dice.split(2));
    this.calls = new Map(plan.calls.map((call) => [call.number, call]));
    const clock = new Machine('store', timeline, 0);
    const { random } = dice.split(3);
    this.store = new MemoryStore({ clock, random, startMs: WALL_START_MS, replicas: plan.replicas });
  }

  /** Plans everything that the plan names. */
  begin(): void {
    for (const node of this.plan.nodes) this.timeline.at(this.dice.random() * 20, () => this.boot(node));
    for (const call of this.plan.calls) this.timeline.at(call.at, () => this.hostOf(call.node)?.ask(call));
    for (const strike of this.plan.strikes) this.timeline.at(strike.at, () => this.strike(strike));
  }

  /** Users' calls that are not answered by a process that lives. */
  get asking(): number {
    let count = 0;
    for (const { asking, state } of this.hosts) if (state !== 'over') count += asking;
    return count;
  }

  /** Faults end, and everything is repaired. */
  calm(): void {
    this.blow('calm', '');
    this.weather.rough = false;
    this.awayUntil = 0;
    for (const host of this.hosts) {
      host.machine.thaw();
      host.wire.regain();
    }
  }

  /** Everybody loses the store once more, and finds it again at once. */
  meetAnew(): void {
    for (const host of this.hosts) {
      host.wire.lose(false);
      this.timeline.after(this.weather.pauseMs() * 5, () => host.wire.regain());
    }
  }

  /** Stops every process; answers what each left behind. Resolves when all have stopped. */
  async close(): Promise<readonly string[]> {
    this.closing = true;
    const hosts = [...this.hosts].filter(({ state }) => state === 'up');
    await Promise.all(hosts.map((host) => host.stop()));
    const orderly = hosts.filter(({ machine }) => machine.alive);
    return orderly.flatMap(({ name, machine, wire }) => [
      ...(machine.timers > 0 ? [`${name} has left ${machine.timers} timers`] : []),
      ...(wire.underWay > 0 ? [`${name} has left ${wire.underWay} calls`] : []),
    ]);
  }

  private boot(node: Node): void {
    if (this.closing) return;
    if (this.timeline.now < this.awayUntil)
      return this.timeline.at(this.awayUntil + 1, () => this.boot(node));
    const host = this.make(node);
    this.hosts.add(host);
    this.blow('boot', host.name);
    host.begin();
  }

  private make(node: Node): Host {
    const { plan, timeline, weather, witness, store, calls, starts } = this;
    this.born += 1;
    const dice = this.dice.split(this.born);
    const machine = new Machine(`${node.name}.${this.born}`, timeline, dice.random());
    const end = new MemoryBroker({ store, clock: machine });
    const wire = new Wire({
      timeline,
      machine,
      weather,
      store: end,
      front: this.tamper(end, store),
      stray: this.tamper(new MemoryBroker({ store, clock: machine }), store),
      witness,
      server: () => this.servers,
      run: () => this.runs,
      timeoutMs: plan.timeoutMs,
    });
    const died = (host: Host): void => this.crash(host);
    const blocked = (host: Host, ms: number): void => this.freeze(host, ms);
    return new Host({ node, plan, machine, wire, dice, witness, calls, starts, died, blocked });
  }

  private strike({ blow, target, ms }: Strike): void {
    switch (blow) {
      case 'crash':
        return this.on(target, (host) => this.crash(host));
      case 'freeze':
        return this.on(target, (host) => this.freeze(host, ms));
      case 'terminate':
        return this.on(target, (host) => this.terminate(host));
      case 'link lost':
        return this.on(target, (host) => this.loseLink(host, ms));
      case 'outage':
        return this.outage(ms);
      case 'failover':
        return this.failover(ms);
      case 'restart':
        return this.goBackTo('restart', this.mark(), ms);
      case 'flush':
        return this.flush();
      case 'group dropped':
        return this.dropGroup(target);
      case 'time step':
        return this.stepTime(target % 2 === 0 ? ms : -ms);
      case 'foreign entry':
        return this.addForeign(target);
      default:
        throw new Error(`nobody strikes with "${blow}"`);
    }
  }

  private on(target: number, what: (host: Host) => void): void {
    const up = [...this.hosts].filter(({ state }) => state === 'up');
    const host = up[target % up.length];
    if (host) what(host);
  }

  private crash(host: Host): void {
    this.blow('crash', host.name);
    host.crash();
    // The store may take its time to notice: a read that waits there is given tasks for nobody.
    this.timeline.after(this.dice.chance(0.5) ? 0 : this.dice.random() * 3000, () => this.bury(host));
    this.bootAgain(host.node);
  }

  private bury(host: Host): void {
    host.wire.cut();
    this.hosts.delete(host);
  }

  private terminate(host: Host): void {
    this.blow('terminate', host.name);
    void host.stop().then(() => {
      if (!host.machine.alive) return;
      this.blow('stopped', host.name);
      this.bury(host);
    });
    this.bootAgain(host.node);
  }

  private bootAgain(node: Node): void {
    const afterMs = 20 + this.dice.random() * (this.weather.rough ? 1500 : 200);
    this.timeline.after(afterMs, () => this.boot(node));
  }

  private freeze(host: Host, ms: number): void {
    if (host.machine.frozen || !host.machine.alive) return;
    this.blow('freeze', host.name, `${Math.round(ms)} ms`);
    host.machine.freeze();
    this.timeline.after(ms, () => {
      if (host.machine.frozen) this.blow('thaw', host.name);
      host.machine.thaw();
    });
  }

  private loseLink(host: Host, ms: number): void {
    this.blow('link lost', host.name, `${Math.round(ms)} ms`);
    host.wire.lose();
    this.timeline.after(ms + this.weather.pauseMs(), () => this.regain(host));
  }

  private outage(ms: number): void {
    this.blow('outage', '', `${Math.round(ms)} ms`);
    this.everybodyLoses(ms, true);
  }

  /** Another server takes over, and what the first has done since a while ago never reached it. */
  private failover(ms: number): void {
    const mark = this.mark();
    const { primary } = this;
    this.blow('mark', '', `${Math.round(ms)} ms`);
    this.timeline.after(ms, () => {
      if (!this.weather.rough || primary !== this.primary) return;
      this.primary += 1;
      this.goBackTo('failover', mark, this.dice.random() * 600);
    });
  }

  private mark(): Mark {
    return { snapshot: this.store.snapshot(), page: this.ledger.page() };
  }

  private goBackTo(blow: 'failover' | 'restart', { snapshot, page }: Mark, awayMs: number): void {
    this.blow(blow, '', `away ${Math.round(awayMs)} ms`);
    this.servers += 1;
    this.runs += 1;
    this.everybodyLoses(awayMs, false);
    this.ledger.wentBack(page);
    this.store.restore(snapshot);
  }

  private everybodyLoses(ms: number, strays: boolean): void {
    this.awayUntil = Math.max(this.awayUntil, this.timeline.now + ms);
    for (const host of this.hosts) {
      host.wire.lose(strays);
      this.timeline.after(ms + this.weather.pauseMs(), () => this.regain(host));
    }
  }

  /** A wire that was lost for another reason meanwhile comes back when that is over. */
  private regain(host: Host): void {
    if (this.timeline.now >= this.awayUntil) host.wire.regain();
    else this.timeline.at(this.awayUntil + this.weather.pauseMs(), () => this.regain(host));
  }

  private flush(): void {
    this.blow('flush', '');
    // Nobody promises anything of what was sent before and arrives afterwards, nor of a replica that did not follow.
    this.servers += 1;
    this.primary += 1;
    this.ledger.lostEverything();
    this.store.flush();
  }

  private dropGroup(target: number): void {
    const queue = this.plan.queues[target % this.plan.queues.length]!.name;
    this.blow('group dropped', queue);
    this.ledger.lostLeases(queue);
    this.store.dropGroup(queue);
  }

  private stepTime(ms: number): void {
    this.blow('time step', '', `${Math.round(ms)} ms`);
    if (ms < 0) this.setBackMs -= ms;
    this.store.stepTime(Math.round(ms));
  }

  private addForeign(target: number): void {
    const queue = this.plan.queues[target % this.plan.queues.length]!.name;
    const fields: Record<string, string> =
      target % 3 === 0 ? { no: 'task' } : { type: 'work', payload: '{"n":-1}' };
    const id = this.store.addEntry(queue, 'normal', fields);
    this.blow('foreign entry', queue, id);
    this.ledger.foreign(queue, id);
  }

  private hostOf(node: string): Host | undefined {
    return [...this.hosts].find((host) => host.node.name === node && host.state === 'up');
  }

  private blow(blow: Blow, on: string, detail = ''): void {
    this.witness({ kind: 'blow', blow, on, detail });
  }
}

/** A state of the store, and of the book about it. */
interface Mark {
  readonly snapshot: MemorySnapshot;
  readonly page: Page;
}
