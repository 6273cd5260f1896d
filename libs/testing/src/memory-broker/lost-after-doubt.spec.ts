import { BrokerTimeoutError, EnqueueOutcomeUnknownError, TaskQueue } from '@taskq/core';
import { expect, it } from 'vitest';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryStore } from './memory-store.js';

const QUEUE = 'orders';

// That a task was accepted after all is remembered, for whoever asks again under its id. When the store has lost tasks
// since, that is not worth anything.
it('a task whose outcome was in doubt is not taken for present when the store has lost it', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock, random: () => 0.5 });
  const broker = new MemoryBroker({ store, clock });
  let answers = false;
  const deaf = new Proxy(broker, {
    get(target, name: keyof MemoryBroker) {
      if (name === 'enqueue' && !answers) {
        return async (group: Parameters<MemoryBroker['enqueue']>[0]) => {
          await target.enqueue(group);
          throw new BrokerTimeoutError('LINK', 'the reply was lost', { retryable: true });
        };
      }
      const member: unknown = target[name];
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const engine = TaskQueue.over(deaf, { producer: { timeout: '1s' } }, { clock, random: () => 0.5 });
  const enqueue = () =>
    clock.until(
      engine.producer
        .enqueue('job', null, { queue: QUEUE, id: 'mine', delay: '1h' })
        .catch((error: unknown) => error),
    );

  expect(await enqueue()).toBeInstanceOf(EnqueueOutcomeUnknownError);
  answers = true;
  expect(await enqueue()).toMatchObject({ id: 'mine', status: 'duplicate' });
  await clock.until(engine.producer.enqueue('job', null, { queue: QUEUE, delay: '1h' }));

  store.flush();
  broker.disconnect();
  await clock.advance(50);
  broker.reconnect(true);
  await clock.advance(50);

  expect(await enqueue()).toMatchObject({ id: 'mine', status: 'accepted' });
  expect(await engine.inspector.find(QUEUE, 'mine')).toMatchObject({ state: 'scheduled' });
  await clock.until(engine.close());
});
