import type { Broker, Delivery, EnqueueGroup, NewTask } from '@taskq/core';
import type { MemoryStore } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.js';
import type { Tamper } from './world/world.js';

/** Seeds after which somebody must have noticed. */
const ENOUGH = 150;

/** A broker that is another one in some verbs. */
function instead(over: (broker: Broker, store: MemoryStore) => Partial<Broker>): Tamper {
  return (broker, store) => {
    const verbs = over(broker, store);
    return new Proxy(broker, {
      get(target, name: keyof Broker) {
        const verb: unknown = verbs[name] ?? target[name];
        return typeof verb === 'function' ? (verb.bind(target) as unknown) : verb;
      },
    });
  };
}

/** Sends groups of other tasks than it was given. */
function changedTasks(change: (task: NewTask) => NewTask): Tamper {
  return instead((broker) => ({
    enqueue: (group: EnqueueGroup) => broker.enqueue({ ...group, tasks: group.tasks.map(change) }),
  }));
}

/** Gives out other deliveries than it was given. */
function changedDeliveries(change: (delivery: Delivery) => Delivery): Tamper {
  const changed = <Answer extends { readonly deliveries: readonly Delivery[] }>(answer: Answer): Answer => ({
    ...answer,
    deliveries: answer.deliveries.map(change),
  });
  return instead((broker) => ({
    fetch: async (request) => changed(await broker.fetch(request)),
    settle: async (request) => changed(await broker.settle(request)),
    reclaim: async (request) => changed(await broker.reclaim(request)),
  }));
}

/** Settles in the name of whoever owns the task. */
const settleForOthers = instead((broker, store) => ({
  settle: async (request) => {
    const { lanes } = store.inspect().queues[request.queue] ?? {};
    const outcomes = request.outcomes.map((outcome) => {
      const { lane, entryId } = outcome.lease;
      const entry = lanes?.[lane].pending.find((each) => each.entryId === entryId);
      if (!entry || entry.consumer === request.consumer || entry.consumer === 'released') return outcome;
      const lease = { ...outcome.lease, delivery: entry.deliveries };
      void broker.settle({
        ...request,
        ...NOTHING,
        consumer: entry.consumer,
        outcomes: [{ ...outcome, lease }],
      });
      return { ...outcome, lease };
    });
    const answer = await broker.settle({ ...request, outcomes });
    return { ...answer, stale: [] };
  },
}));

const NOTHING = { want: { total: 0, high: 0, normal: 0, low: 0 } };

/** What is done behind the engine's back, and which law is broken then. */
const SABOTAGE: Readonly<Record<string, { readonly tamper: Tamper; readonly law: RegExp }>> = {
  'drops a task that it has accepted': {
    law: /^one place$/,
    tamper: instead((broker) => ({
      enqueue: async (group) => {
        const answer = await broker.enqueue({ ...group, tasks: group.tasks.slice(1) });
        if (group.tasks.length === 0) return answer;
        return { ...answer, answers: [{ status: 'accepted' }, ...answer.answers] };
      },
    })),
  },
  'lets somebody settle who is not the owner': { law: /^owners$/, tamper: settleForOthers },
  'takes leases over too soon': {
    law: /^owners$/,
    tamper: instead((broker) => ({ reclaim: (request) => broker.reclaim({ ...request, leaseMs: 1 }) })),
  },
  'says that a lease is lost which is not': {
    law: /^owners$/,
    tamper: instead((broker) => ({
      extend: async (queue, consumer, leases) => {
        await broker.extend(queue, consumer, leases);
        return leases;
      },
    })),
  },
  'forgets that delivery counts may begin anew': {
    law: /^starts$/,
    tamper: changedDeliveries((delivery) => ({ ...delivery, era: 0 })),
  },
  'counts no deliveries': {
    law: /^(owners|starts|one place)$/,
    tamper: changedDeliveries((delivery) => ({ ...delivery, delivery: 1 })),
  },
  'says nothing of a lost tail': {
    law: /^losses$/,
    tamper: instead((broker) => ({
      enqueue: async (group) => ({ ...(await broker.enqueue(group)), lostAfter: undefined }),
    })),
  },
  'raises a false alarm': {
    law: /^losses$/,
    tamper: instead((broker) => ({
      enqueue: async (group) => {
        const answer = await broker.enqueue(group);
        return group.after > 0 ? { ...answer, lostAfter: group.after - 1 } : answer;
      },
    })),
  },
  'starts delayed tasks at once': {
    law: /^one place$/,
    tamper: changedTasks(({ due: _due, ...task }) => task),
  },
  'does not look at idempotency keys': {
    law: /^keys$/,
    tamper: changedTasks(({ idempotency: _idempotency, ...task }) => task),
  },
  'does not look at ids': {
    law: /^(keys|one place)$/,
    tamper: changedTasks(({ ownId: _ownId, ...task }) => task),
  },
  'lets a queue be fuller than full': {
    law: /^room$/,
    tamper: instead((broker) => ({ enqueue: (group) => broker.enqueue({ ...group, maxReady: 0 }) })),
  },
  'writes a group again that was sent again': {
    law: /^(answers|keys|one place|losses)$/,
    tamper: instead((broker) => {
      let sent = 0;
      return {
        enqueue: (group) =>
          broker.enqueue({ ...group, channel: `${group.channel}-${(sent += 1)}`, after: 0 }),
      };
    }),
  },
  'says that a queue is full, and writes nevertheless': {
    law: /^(one place|answers)$/,
    tamper: instead((broker) => ({
      enqueue: async (group) => {
        const answer = await broker.enqueue(group);
        return { ...answer, answers: answer.answers.map(() => ({ status: 'full' })) };
      },
    })),
  },
  'never gives back what was released or left behind': {
    law: /^progress$/,
    tamper: instead(() => ({
      reclaim: async () => ({ deliveries: [], cursor: undefined, left: 0, own: [], late: false }),
    })),
  },
};

describe('a store that', () => {
  it.each(Object.entries(SABOTAGE))(
    '%s is found out',
    async (_name, { tamper, law }) => {
      for (let seed = 0; seed < ENOUGH; seed += 1) {
        const { broken } = await simulate(seed, { tamper });
        if (!broken) continue;
        expect(broken.law).toMatch(law);
        return;
      }
      throw new Error(`nobody noticed in ${ENOUGH} seeds`);
    },
    60_000,
  );
});
