import { describe, expect, it } from 'vitest';
import { RedisUnusableError } from '@taskq/core';
import { QUEUE } from './support/keys.js';
import { record } from './support/snapshot.js';
import { idOf, lease } from './support/tasks.js';
import { useRedis } from './support/world.js';

const world = useRedis({ ensure: false });

async function groupOf(key: string): Promise<Record<string, string>[]> {
  const rows = (await world().redis.xinfo('GROUPS', key)) as (string | number)[][];
  return rows.map((row) => record(row.map(String)));
}

describe('ensureQueue', () => {
  it('makes three lanes and the wake stream, each with its group at 0, names the data set, and nothing else', async () => {
    const { broker, keys, keyNames, redis } = world();

    expect(await broker.ensureQueue(QUEUE)).toBe(true);

    const streams = [keys.high, keys.normal, keys.low, keys.wake];
    expect(await keyNames()).toEqual([...streams, keys.control].toSorted());
    expect(await redis.hgetall(keys.control)).toEqual({
      epoch: expect.stringMatching(/^[\w-]{12}$/),
      run: /run_id:(\w+)/.exec(await redis.info('server'))![1],
      era: '0',
    });
    for (const key of streams) {
      expect(await redis.xlen(key)).toBe(0);
      expect(await groupOf(key)).toMatchObject([{ name: 'workers', 'last-delivered-id': '0-0' }]);
    }
  });

  it('changes nothing the second time and says that nothing was missing', async () => {
    const { broker, snapshot } = world();
    await broker.ensureQueue(QUEUE);
    const before = await snapshot();

    expect(await broker.ensureQueue(QUEUE)).toBe(false);

    expect(await snapshot()).toEqual(before);
  });

  it('lets tasks that were added before the group existed be delivered', async () => {
    const { broker, keys, redis } = world();
    for (const key of [keys.high, keys.normal, keys.low]) {
      await redis.xadd(key, '*', 'id', `early-${key.length}`, 'type', 'a', 'payload', '1');
    }

    expect(await broker.ensureQueue(QUEUE)).toBe(true);

    const ids = (await lease(broker, 10)).map(idOf);
    expect(ids).toEqual([keys.high, keys.normal, keys.low].map((key) => `early-${key.length}`));
  });

  it('makes only what is missing, and leaves positions and pending lists as they are', async () => {
    const { broker, keys, redis, pending } = world();
    await broker.ensureQueue(QUEUE);
    await redis.xadd(keys.normal, '*', 'id', 'one', 'type', 'a', 'payload', '1');
    const [delivery] = await lease(broker, 1);
    await redis.xgroup('DESTROY', keys.low, 'workers');

    expect(await broker.ensureQueue(QUEUE)).toBe(true);

    expect(await groupOf(keys.low)).toHaveLength(1);
    expect(await groupOf(keys.normal)).toMatchObject([{ 'last-delivered-id': delivery!.entryId }]);
    expect(await pending(keys.normal)).toMatchObject([{ entryId: delivery!.entryId, consumer: 'w1' }]);
  });

  it('keeps other groups that somebody made on the stream', async () => {
    const { broker, keys, redis } = world();
    await redis.xgroup('CREATE', keys.normal, 'audit', '$', 'MKSTREAM');

    await broker.ensureQueue(QUEUE);

    expect((await groupOf(keys.normal)).map((group) => group.name)).toEqual(['audit', 'workers']);
  });

  it('fails typed when a key holds something else, and leaves that alone', async () => {
    const { broker, keys, redis, keyNames } = world();
    await redis.set(keys.normal, 'mine');

    const refusal = broker.ensureQueue(QUEUE);

    await expect(refusal).rejects.toBeInstanceOf(RedisUnusableError);
    await expect(refusal).rejects.toThrow(`${keys.normal} holds a string, not a stream`);
    expect(await redis.get(keys.normal)).toBe('mine');
    expect(await keyNames()).toEqual([keys.normal]);
  });

  it('keeps queues apart', async () => {
    const { broker, prefix, keyNames } = world();

    await broker.ensureQueue('a');
    await broker.ensureQueue('b');

    const names = await keyNames();
    expect(names.filter((key) => key.startsWith(`${prefix}:{a}:`))).toHaveLength(5);
    expect(names.filter((key) => key.startsWith(`${prefix}:{b}:`))).toHaveLength(5);
    expect(names).toHaveLength(10);
  });
});
