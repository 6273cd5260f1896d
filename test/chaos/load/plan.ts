/** How large the load is, and who carries it. */
export interface LoadPlan {
  /** In words, for the report. */
  readonly size: string;
  /** Arguments of the laboratory that give this plan. */
  readonly repeat: string;
  /** Tasks that wait for a slot, that wait for their time, and that are dead. */
  readonly ready: number;
  readonly scheduled: number;
  readonly dead: number;
  /** Processes, consumers in each, and slots of each consumer: all of them together are the active tasks. */
  readonly processes: number;
  readonly consumers: number;
  readonly slots: number;
  readonly leaseMs: number;
  /** When the scheduled tasks are due, counted from the first of them being enqueued; all within a second. */
  readonly dueInMs: number;
  /** How often each inspection is made. */
  readonly looks: number;
  /** For how long memory must not shrink any more to count as settled. */
  readonly steadyMs: number;
}

/** What the goal names. One process holds 25,002 tasks, so its death is that of a worker with 25,000. */
export const FULL_LOAD: LoadPlan = {
  size: '2,000,000 ready, 200,000 scheduled, 100,000 active',
  repeat: '--fault LOAD --full',
  ready: 2_000_000,
  scheduled: 200_000,
  dead: 2000,
  processes: 4,
  consumers: 3,
  slots: 8334,
  leaseMs: 15_000,
  dueInMs: 50_000,
  looks: 40,
  steadyMs: 10_000,
};

/** A hundredth of it, to see in seconds that everything still fits together. */
export const SHORT_LOAD: LoadPlan = {
  size: '20,000 ready, 2,000 scheduled, 1,000 active',
  repeat: '--fault LOAD',
  ready: 20_000,
  scheduled: 2000,
  dead: 200,
  processes: 4,
  consumers: 1,
  slots: 250,
  leaseMs: 1000,
  dueInMs: 3500,
  looks: 5,
  steadyMs: 2000,
};

/** Tasks of each kind that make Redis, workers and producer make whatever they make once. */
const WARM_UP = 500;

/** A part of the tasks: numbers from `from` on. */
export interface Part {
  readonly from: number;
  readonly count: number;
}

/** Every task of the load has a number of its own; the parts follow one another. */
export interface Parts {
  readonly warmUp: Part;
  readonly warmUpScheduled: Part;
  readonly warmUpDying: Part;
  readonly dying: Part;
  readonly active: Part;
  readonly ready: Part;
  readonly scheduled: Part;
  /** All of them. */
  readonly total: number;
}

export function partsOf(plan: LoadPlan): Parts {
  let next = 0;
  const part = (count: number): Part => {
    const from = next;
    next += count;
    return { from, count };
  };
  return {
    warmUp: part(WARM_UP),
    warmUpScheduled: part(WARM_UP),
    warmUpDying: part(WARM_UP),
    dying: part(plan.dead),
    active: part(activeOf(plan)),
    ready: part(plan.ready),
    scheduled: part(plan.scheduled),
    total: next,
  };
}

/** Tasks that run at once when every slot is taken. */
export function activeOf({ processes, consumers, slots }: LoadPlan): number {
  return processes * consumers * slots;
}

/** Tasks in the hands of one process. */
export function heldByOne({ consumers, slots }: LoadPlan): number {
  return consumers * slots;
}
