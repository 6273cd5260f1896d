import type { Event } from './history.js';

/** What is left in Redis when a run is over and everybody had time. */
export interface Remains {
  /** Ids that are dead letters. */
  readonly dead: readonly string[];
  /** Ready, active and scheduled tasks, all together. */
  readonly unfinished: number;
}

/** What a run comes to. */
export interface Verdict {
  /** Tasks that were answered as accepted. */
  readonly accepted: number;
  /** Accepted, and neither done nor a dead letter. */
  readonly lost: readonly string[];
  /** Starts beyond the first of each attempt. */
  readonly duplicates: number;
  /** Effects that a sink which checks the fence let through twice. */
  readonly duplicateEffects: number;
  /** Of unknown outcome, and run. */
  readonly recovered: readonly string[];
  /** Run though nobody had asked for it. */
  readonly unexpected: readonly string[];
  /** Effects that came after a later start had begun: refused by the sink, and a matter of the handler without one. */
  readonly outOfLease: number;
  /** Tasks that were enqueued twice: two ids for one key. */
  readonly enqueuedTwice: readonly string[];
  readonly dead: readonly string[];
  readonly unfinished: number;
}

/** Judges the history of a run. A function of its arguments alone. */
export function verdictOf(events: readonly Event[], remains: Remains): Verdict {
  const tasks = new Map<string, Task>();
  const task = (key: string): Task => {
    let known = tasks.get(key);
    if (!known) {
      known = { invoked: false, accepted: false, unknown: false, ids: new Set(), starts: [], done: false };
      tasks.set(key, known);
    }
    return known;
  };
  let duplicateEffects = 0;
  let outOfLease = 0;
  for (const event of events) {
    switch (event.e) {
      case 'invoke':
        task(event.key).invoked = true;
        break;
      case 'accepted':
        task(event.key).accepted = true;
        task(event.key).ids.add(event.id);
        break;
      case 'unknown':
        task(event.key).unknown = true;
        task(event.key).ids.add(event.id);
        break;
      case 'start':
        task(event.key).starts.push(event);
        task(event.key).ids.add(event.id);
        break;
      case 'effect': {
        if (event.answer === 'applied') task(event.key).done = true;
        if (event.answer === 'twice') duplicateEffects += 1;
        if (task(event.key).starts.some((start) => start.fence > event.fence)) outOfLease += 1;
        break;
      }
      default:
    }
  }
  const dead = new Set(remains.dead);
  const keys = (fits: (one: Task) => boolean): string[] =>
    [...tasks].filter(([, one]) => fits(one)).map(([key]) => key);
  const buried = (one: Task): boolean => [...one.ids].some((id) => dead.has(id));
  return {
    accepted: keys((one) => one.accepted).length,
    lost: keys((one) => one.accepted && !one.done && !buried(one)),
    duplicates: [...tasks.values()].reduce((sum, one) => sum + startsTooMany(one), 0),
    duplicateEffects,
    recovered: keys((one) => one.unknown && !one.accepted && one.starts.length > 0),
    unexpected: keys((one) => !one.invoked),
    outOfLease,
    enqueuedTwice: keys((one) => one.ids.size > 1),
    dead: [...dead],
    unfinished: remains.unfinished,
  };
}

interface Task {
  invoked: boolean;
  accepted: boolean;
  unknown: boolean;
  readonly ids: Set<string>;
  readonly starts: (Event & { e: 'start' })[];
  done: boolean;
}

/** Each attempt is one start; more than that is somebody's death or doubt. */
function startsTooMany({ starts }: Task): number {
  return starts.length - new Set(starts.map((start) => start.attempt)).size * Math.min(1, starts.length);
}
