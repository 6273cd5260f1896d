import { describe, expect, it } from 'vitest';
import { QUEUE } from './support/keys.js';
import {
  complete,
  deadLetterOf,
  enqueue,
  idOf,
  leaseOf,
  newTask,
  promoteRequest,
  reclaimRequest,
  release,
  retry,
  settle,
} from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis({ ensure: false });

describe('a server that forgets its scripts (restart, failover, SCRIPT FLUSH)', () => {
  it('is not noticed by any verb', async () => {
    const { broker, keys, redis } = world();
    const forget = () => redis.script('FLUSH', 'SYNC');
    const lease = async () => {
      await forget();
      return (await settle(broker, [], { want: 1 })).deliveries[0]!;
    };

    await forget();
    expect(await broker.ensureQueue(QUEUE)).toBe(true);
    await forget();
    const task = newTask();
    expect(await enqueue(broker, [task])).toEqual([{ status: 'accepted' }]);
    let delivery = await lease();
    await forget();
    expect(await broker.extend(QUEUE, 'w1', [leaseOf(delivery)])).toEqual([]);
    await forget();
    expect((await settle(broker, [release(delivery)])).stale).toEqual([]);
    await forget();
    expect((await broker.sweepsDue({ queues: [QUEUE], everyMs: 0 })).queues).toEqual([QUEUE]);
    await forget();
    delivery = (await broker.reclaim(reclaimRequest({ consumer: 'w1' }))).deliveries[0]!;
    await forget();
    expect((await settle(broker, [retry(delivery, { delayMs: 0 })])).stale).toEqual([]);
    await forget();
    expect(await broker.takeDuties({ queues: [QUEUE], consumer: 'w1', dutyMs: 1000 })).toMatchObject({
      duties: [{ queue: QUEUE, nextInMs: 0 }],
    });
    await forget();
    expect(await broker.promote(promoteRequest())).toMatchObject({ promoted: 1 });
    delivery = await lease();
    await forget();
    await settle(broker, [deadLetterOf(delivery)]);
    const letters = await broker.listDeadLetters(QUEUE, '', 1);
    await forget();
    expect(await broker.replay(QUEUE, letters)).toBe(1);
    delivery = await lease();
    expect(idOf(delivery)).toBe(task.id);
    await settle(broker, [deadLetterOf(delivery)]);
    const again = await broker.listDeadLetters(QUEUE, '', 1);
    await forget();
    expect(await broker.deleteDeadLetters(QUEUE, again)).toBe(1);
    await forget();
    expect(await broker.removeConsumer(QUEUE, 'w1')).toBe(true);
    expect(await redis.xlen(keys.normal)).toBe(0);
  });

  it('is not noticed by calls that are under way together', async () => {
    const { broker, redis, keys } = world();
    await broker.ensureQueue(QUEUE);
    await redis.script('FLUSH', 'SYNC');

    const answers = await Promise.all(Array.from({ length: 20 }, () => enqueue(broker, [newTask()])));

    expect(answers.flat()).toEqual(answers.map(() => ({ status: 'accepted' })));
    expect(await redis.xlen(keys.normal)).toBe(20);
  });

  it('learns each script again: the next call is by its hash', async () => {
    const { broker, redis } = world();
    await broker.ensureQueue(QUEUE);
    await redis.script('FLUSH', 'SYNC');
    await enqueue(broker, [newTask()]);
    await redis.config('RESETSTAT');

    const [delivery] = (await settle(broker, [], { want: 1 })).deliveries;
    await settle(broker, [complete(delivery!)]);
    await enqueue(broker, [newTask()]);

    const stats = await redis.info('commandstats');
    expect(Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBe(1);
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBe(3);
  });
});
