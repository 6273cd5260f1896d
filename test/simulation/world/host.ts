import { EnqueueOutcomeUnknownError, type TaskEventName, TaskQueue, type TaskWorker } from '@taskq/core';
import type { Dice } from '../../chaos/dice.js';
import type { Ask, Witness } from '../facts.js';
import type { Call, Node, Plan } from '../seed/plan.js';
import { TYPES } from '../seed/plan.js';
import { handlersFor } from './handler.js';
import type { Machine } from './machine.js';
import type { Wire } from './wire.js';

/** What a host is made of. */
export interface HostParts {
  readonly node: Node;
  readonly plan: Plan;
  readonly machine: Machine;
  readonly wire: Wire;
  readonly dice: Dice;
  readonly witness: Witness;
  readonly calls: ReadonlyMap<number, Call>;
  readonly starts: Map<number, number>;
  /** Its process has ended by itself, or could not begin. */
  readonly died: (host: Host) => void;
  /** A handler holds up the event loop. */
  readonly blocked: (host: Host, ms: number) => void;
}

/** Events that are written down. */
const EVENTS: readonly TaskEventName[] = [
  'task.started',
  'task.completed',
  'task.retrying',
  'task.snoozed',
  'task.discarded',
  'task.dead',
  'task.unhandled',
  'task.released',
  'task.reclaimed',
  'task.stale',
  'task.stuck',
  'task.unproven',
  'task.malformed',
  'queue.recreated',
  'data.lost',
  'data.lost.more',
  'data.reoffered',
  'broker.reconnected',
];

/** One life of a process: an engine, with a worker where the node has one. */
export class Host {
  state: 'up' | 'stopping' | 'over' = 'up';
  /** Calls of its users that are not answered. */
  asking = 0;
  private readonly engine: TaskQueue<Wire>;
  private worker: TaskWorker | undefined;
  private tellCrashed: () => void = () => undefined;
  /** Resolves when it crashes. */
  private readonly crashed = new Promise<void>((resolve) => (this.tellCrashed = resolve));

  constructor(private readonly parts: HostParts) {
    const { plan, wire, machine, dice, witness } = parts;
    const randomBytes = (size: number): Buffer =>
      Buffer.from(Array.from({ length: size }, () => dice.between(0, 255)));
    this.engine = TaskQueue.over(wire, plan.engine, { clock: machine, random: dice.random, randomBytes });
    for (const name of EVENTS)
      this.engine.events.on(name, (event) => witness({ kind: 'event', by: machine.name, name, event }));
  }

  get name(): string {
    return this.parts.machine.name;
  }

  get node(): Node {
    return this.parts.node;
  }

  get machine(): Machine {
    return this.parts.machine;
  }

  get wire(): Wire {
    return this.parts.wire;
  }

  /** Starts to work, where the node does. A worker that cannot start ends its process, as a program would. */
  begin(): void {
    const { node, machine } = this.parts;
    if (node.works.length === 0) return;
    machine.enter(() => {
      this.worker = this.engine.createWorker(this.handlers());
      this.worker.start().catch(() => {
        if (this.state === 'up') this.parts.died(this);
      });
    });
  }

  /** A user's call, and the same again under its id for as long as nobody knows what became of it. */
  ask({ number, queue, type, options, insists }: Call): void {
    const { machine } = this.parts;
    machine.enter(() => {
      if (this.state !== 'up') return;
      this.asking += 1;
      const ask = { number, queue, id: options.id, idempotencyKey: options.idempotencyKey };
      const payload = { n: number, ...(type === 'checked' && { wrong: number % 2 === 0 }) };
      void this.askUntilKnown(ask, insists, (id) =>
        this.engine.producer.enqueue(type, payload as never, {
          ...options,
          queue,
          ...(id !== undefined && { id }),
        }),
      );
    });
  }

  /** Ends as a program does that is told to: everything is handed back, and nothing is left. Resolves then. */
  async stop(): Promise<void> {
    if (this.state !== 'up') return;
    this.state = 'stopping';
    await Promise.race([this.stopOrderly(), this.crashed]);
    this.state = 'over';
  }

  /** Ends at once. */
  crash(): void {
    this.state = 'over';
    this.machine.kill();
    this.tellCrashed();
  }

  private async stopOrderly(): Promise<void> {
    await new Promise<void>((resolve) => this.machine.enter(resolve));
    await this.worker?.stop();
    await this.engine.close();
  }

  private async askUntilKnown(
    ask: Ask,
    insists: number,
    enqueue: (id: string | undefined) => ReturnType<TaskQueue['producer']['enqueue']>,
  ): Promise<void> {
    const { witness } = this.parts;
    const by = this.name;
    let id: string | undefined;
    for (let left = insists; ; left -= 1) {
      witness({ kind: 'asked', by, ask });
      const answer = await enqueue(id).catch((error: unknown) => error as Error);
      if (!this.machine.alive) return;
      witness({ kind: 'told', by, ask, answer });
      if (!(answer instanceof EnqueueOutcomeUnknownError) || left === 0 || this.state !== 'up') break;
      ({ id } = answer);
    }
    this.asking -= 1;
  }

  private handlers() {
    const { node, machine, calls, starts, witness, died, blocked } = this.parts;
    const knowsRare = Number(node.name.slice(1)) % 2 === 1;
    const types = TYPES.filter((type) => type !== 'rare' || knowsRare);
    return handlersFor(node.works, types, {
      machine,
      calls,
      starts,
      witness,
      kill: () => died(this),
      block: (ms) => blocked(this, ms),
    });
  }
}
