import { TASK_QUEUE } from '../actors/actor-config.js';
import { type Field, SLOTS, WORKERS } from './field.js';

/** A fault that lasts. */
export interface Trouble {
  readonly name: string;
  /** Starts beyond the first that it may cost: what is in flight where it strikes. */
  readonly duplicates: number;
  /** Whether two of it at once would be one of another kind. */
  readonly alone?: boolean;
  /** Begins it, and answers how it ends. */
  begin(field: Field): Promise<() => unknown> | (() => unknown);
}

const EVERYBODY = SLOTS * WORKERS;

/** Everything that may happen to a fleet whose Redis writes to disk before it answers. */
export const troubles: readonly Trouble[] = [
  {
    name: 'kill -9 a worker',
    duplicates: SLOTS,
    begin: ({ run, workers }) => {
      if (workers().length > 0) run.dice.pick(workers()).signal('SIGKILL');
      return nothing;
    },
  },
  {
    name: 'SIGTERM a worker',
    duplicates: SLOTS,
    begin: ({ run, workers }) => {
      if (workers().length > 0) run.dice.pick(workers()).signal('SIGTERM');
      return nothing;
    },
  },
  {
    name: 'SIGSTOP a worker',
    duplicates: SLOTS,
    begin: ({ run, workers }) => {
      if (workers().length === 0) return nothing;
      const victim = run.dice.pick(workers());
      victim.signal('SIGSTOP');
      return () => victim.signal('SIGCONT');
    },
  },
  {
    name: 'reset every connection',
    duplicates: EVERYBODY,
    begin: ({ proxy }) => {
      proxy.resetAll();
      return nothing;
    },
  },
  {
    name: 'refuse every connection',
    duplicates: EVERYBODY,
    alone: true,
    begin: ({ proxy }) => {
      proxy.cut();
      return () => proxy.heal();
    },
  },
  {
    name: 'freeze the wire',
    duplicates: EVERYBODY,
    alone: true,
    begin: ({ proxy }) => {
      proxy.freeze();
      return () => proxy.thaw();
    },
  },
  {
    name: 'black hole',
    duplicates: EVERYBODY,
    begin: ({ proxy, run }) => {
      const direction = run.dice.pick(['both', 'toClient', 'toServer'] as const);
      const hole = proxy.blackHole({ direction, openOnly: run.dice.chance(0.5) });
      return () => hole.remove();
    },
  },
  {
    name: 'lose replies',
    duplicates: EVERYBODY,
    begin: ({ proxy, run }) => {
      const script = run.dice.pick(['enqueue', 'settle', 'extend', 'reclaim', 'promote']);
      const rule = proxy.dropReply({
        match: { script },
        nth: run.dice.between(1, 5),
        times: run.dice.between(1, 10),
        end: run.dice.pick(['reset', 'close', 'hang'] as const),
      });
      return () => forget(rule);
    },
  },
  {
    name: 'late replies',
    duplicates: EVERYBODY,
    begin: ({ proxy, run }) => {
      const rule = proxy.lateReply({ ms: run.dice.between(50, 1500), times: run.dice.between(1, 20) });
      return () => forget(rule);
    },
  },
  {
    name: 'slow wire',
    duplicates: EVERYBODY,
    begin: ({ proxy, run }) => {
      const fault = proxy.latency(run.dice.between(5, 120), { jitterMs: 50 });
      return () => fault.remove();
    },
  },
  {
    name: 'bytes trickle in',
    duplicates: EVERYBODY,
    begin: ({ proxy, run }) => {
      const fault = proxy.slice(run.dice.between(7, 100), 1);
      return () => fault.remove();
    },
  },
  {
    name: 'SCRIPT FLUSH',
    duplicates: 0,
    begin: async ({ admin }) => {
      await admin.script('FLUSH').catch(nothing);
      return nothing;
    },
  },
  {
    name: 'XGROUP DESTROY',
    duplicates: EVERYBODY,
    begin: async ({ admin, run }) => {
      await admin.xgroup('DESTROY', `${run.prefix}:{${TASK_QUEUE}}:tasks`, 'workers').catch(nothing);
      return nothing;
    },
  },
  {
    name: 'kill -9 Redis',
    duplicates: EVERYBODY,
    alone: true,
    begin: async ({ redis }) => {
      await redis.kill();
      return () => redis.restart();
    },
  },
  {
    name: 'freeze Redis',
    duplicates: EVERYBODY,
    alone: true,
    begin: async ({ redis }) => {
      await redis.freeze();
      return () => redis.thaw();
    },
  },
];

function nothing(): void {
  // It is over as soon as it has happened, or there was nobody to befall.
}

/** Takes a rule away; that it never came to pass is no error here. */
function forget(rule: {
  remove(): void;
  readonly happened: Promise<unknown>;
  readonly done: Promise<unknown>;
}): void {
  rule.happened.catch(nothing);
  rule.done.catch(nothing);
  rule.remove();
}
