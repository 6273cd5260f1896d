import type { EngineOptions, EnqueueOptions, Lane, QueueOptions } from '@taskq/core';
import { Dice } from '../../chaos/dice.js';
import type { Blow } from '../facts.js';
import type { Climate } from '../world/weather.js';
import { type Behaviour, behavioursOf } from './behaviour.js';

/** A process that is made again when it ends. */
export interface Node {
  readonly name: string;
  /** Queues that it works on; none for one that only enqueues. */
  readonly works: readonly string[];
  readonly produces: boolean;
}

/** A call of a user: when, on which producer, and what. */
export interface Call {
  readonly at: number;
  readonly node: string;
  readonly number: number;
  readonly queue: string;
  readonly type: string;
  readonly options: EnqueueOptions;
  /** How often it asks again when nobody knows what became of it. */
  readonly insists: number;
  /** What each start of its handler does, one after the other; further ones complete. */
  readonly behaviours: readonly Behaviour[];
}

/** Something that is done to the world. `ms` is how long it lasts, or how far it goes. */
export interface Strike {
  readonly at: number;
  readonly blow: Blow;
  readonly target: number;
  readonly ms: number;
}

export interface QueuePlan {
  readonly name: string;
  readonly slots: number;
  readonly options: QueueOptions;
}

/** Everything that a seed decides, but for what chance decides on the way. */
export interface Plan {
  readonly seed: number;
  /** For how long faults happen. */
  readonly stormMs: number;
  readonly nodes: readonly Node[];
  readonly queues: readonly QueuePlan[];
  readonly engine: EngineOptions;
  readonly worker: { readonly leaseMs: number; readonly maxDeliveries: number };
  readonly climate: Climate;
  readonly timeoutMs: number;
  readonly calls: readonly Call[];
  readonly strikes: readonly Strike[];
  readonly replicas: number;
}

/** Types of tasks: one that everybody handles, one whose payload may be wrong, and one that not everybody knows. */
export const TYPES = ['work', 'checked', 'rare'] as const;

/** Decides about everything. A function of the seed alone. */
export function planOf(seed: number): Plan {
  const dice = new Dice(seed).split(0);
  const leaseMs = dice.pick([1000, 1000, 1500, 2500]);
  const timeoutMs = dice.pick([150, 300, 600]);
  const stormMs = dice.between(1000, 5000);
  const queues = queuesOf(dice);
  const nodes = nodesOf(dice, queues);
  const maxDeliveries = dice.between(2, 4);
  const calm = dice.chance(0.04);
  const whenUnproven = new Dice(seed).split(4).pick(['continue', 'abort'] as const);
  return {
    seed,
    stormMs,
    nodes,
    queues,
    engine: engineOf(dice, queues, leaseMs, maxDeliveries, whenUnproven),
    worker: { leaseMs, maxDeliveries },
    climate: calm ? FAIR : climateOf(dice, leaseMs),
    timeoutMs,
    calls: callsOf(dice, nodes, queues, stormMs),
    strikes: calm ? [] : strikesOf(dice, stormMs, leaseMs),
    replicas: dice.pick([0, 1]),
  };
}

const FAIR: Climate = {
  lost: 0,
  unanswered: 0,
  late: 0,
  twice: 0,
  slow: 0,
  usualMs: 1,
  slowMs: 1,
  lateMs: 0,
};

function climateOf(dice: Dice, leaseMs: number): Climate {
  const rough = dice.pick([0, 0.01, 0.03, 0.08]);
  return {
    lost: rough * dice.random(),
    unanswered: rough * dice.random(),
    late: rough * dice.random(),
    twice: rough * dice.random() * 2,
    slow: rough,
    usualMs: dice.pick([0.5, 2, 20]),
    slowMs: dice.pick([50, 400]),
    lateMs: 2 * leaseMs,
  };
}

function queuesOf(dice: Dice): readonly QueuePlan[] {
  return ['alpha', 'beta'].slice(0, dice.pick([1, 1, 2])).map((name) => {
    const slots = dice.pick([1, 2, 3, 5]);
    const whenFull = dice.pick(['reject', 'wait'] as const);
    const maxReady = dice.pick([2, 5, 1000, 1000]);
    return {
      name,
      slots,
      options: { concurrency: slots, maxReady, whenFull, waitTimeout: dice.pick([200, 1500]) },
    };
  });
}

function nodesOf(dice: Dice, queues: readonly QueuePlan[]): readonly Node[] {
  const names = queues.map(({ name }) => name);
  const workers = Array.from({ length: dice.pick([1, 2, 2, 3, 4]) }, (_, i) => ({
    name: `w${i}`,
    // The first works on all of them, so that everything comes to its end.
    works: i === 0 || dice.chance(0.7) ? names : [dice.pick(names)],
    produces: dice.chance(0.2),
  }));
  const producers = Array.from({ length: dice.pick([1, 1, 2, 3]) }, (_, i) => ({
    name: `p${i}`,
    works: [],
    produces: true,
  }));
  return [...producers, ...workers];
}

function engineOf(
  dice: Dice,
  queues: readonly QueuePlan[],
  leaseMs: number,
  maxDeliveries: number,
  whenUnproven: 'continue' | 'abort',
): EngineOptions {
  return {
    queues: Object.fromEntries(queues.map(({ name, options }) => [name, options])),
    tasks: {
      maxAttempts: dice.between(1, 4),
      timeout: dice.pick([200, 800, 3000]),
      backoff: { base: dice.pick([0, 50, 400]), factor: 2, max: 1000 },
      durability: dice.pick(['accepted', 'accepted', 'durable']),
    },
    worker: {
      lease: leaseMs,
      maxDeliveries,
      name: 'w',
      drainTimeout: dice.pick([0, 200, 2000]),
      abortGrace: dice.pick([0, 100, 500]),
      whenUnproven,
      noHandlerDelay: dice.pick([100, 500]),
      noHandlerTimeout: dice.pick([0, 1500]),
      block: dice.pick([300, 1000, 2000]),
    },
    producer: {
      timeout: dice.pick([300, 800, 2000]),
      reofferWindow: dice.pick([0, 1000, 5000, 5000]),
    },
    limits: {
      consumerAge: '10s',
      deadLetters: dice.pick([1, 100, 100]),
    },
  };
}

function callsOf(
  dice: Dice,
  nodes: readonly Node[],
  queues: readonly QueuePlan[],
  stormMs: number,
): readonly Call[] {
  const producers = nodes.filter(({ produces }) => produces);
  const calls: Call[] = [];
  const total = dice.pick([4, 10, 16, 25]);
  while (calls.length < total) {
    const at = dice.random() * stormMs;
    const node = dice.pick(producers).name;
    const burst = dice.chance(0.02) ? 36 : dice.chance(0.3) ? dice.between(2, 6) : 1;
    for (let i = 0; i < burst; i += 1) {
      const type = dice.chance(0.08) ? dice.pick(TYPES) : 'work';
      calls.push({
        at,
        node,
        number: calls.length,
        queue: dice.pick(queues).name,
        type,
        options: callOptions(dice, stormMs),
        insists: dice.pick([0, 1, 3]),
        behaviours: behavioursOf(dice),
      });
    }
  }
  return calls.toSorted((a, b) => a.at - b.at);
}

const LANES: readonly Lane[] = ['high', 'normal', 'low'];

function callOptions(dice: Dice, stormMs: number): EnqueueOptions {
  return {
    ...(dice.chance(0.3) && { priority: dice.pick(LANES) }),
    ...(dice.chance(0.2) && { delay: dice.between(0, stormMs / 2) }),
    ...(dice.chance(0.15) && {
      idempotencyKey: `key-${dice.between(0, 3)}`,
      idempotencyWindow: dice.pick([1000, 5000]),
    }),
    ...(dice.chance(0.1) && { deduplicate: `same-${dice.between(0, 3)}` }),
    ...(dice.chance(0.1) && { id: `own-${dice.between(0, 5)}` }),
    ...(dice.chance(0.1) && { maxAttempts: dice.between(1, 3) }),
    ...(dice.chance(0.03) && { durability: { replicated: 1 } }),
  };
}

/** Blows, as often as they are named. */
const BLOWS: readonly Blow[] = [
  ...(['crash', 'crash', 'crash', 'freeze', 'freeze', 'terminate', 'terminate', 'link lost'] as const),
  ...([
    'link lost',
    'outage',
    'failover',
    'failover',
    'restart',
    'group dropped',
    'flush',
    'time step',
  ] as const),
  'foreign entry',
];

function strikesOf(dice: Dice, stormMs: number, leaseMs: number): readonly Strike[] {
  const strikes = Array.from({ length: dice.between(1, 7) }, () => ({
    at: dice.random() * stormMs,
    blow: dice.pick(BLOWS),
    target: dice.between(0, 1000),
    ms: dice.random() * leaseMs * dice.pick([0.2, 1, 2.5]),
  }));
  return strikes.toSorted((a, b) => a.at - b.at);
}
