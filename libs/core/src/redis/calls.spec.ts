import { describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { BrokerError } from '../contract/errors.js';
import { Calls } from './calls.js';
import type { LinkRole, Links } from './links.js';

/** What ioredis raises for an error that Redis answers. */
function answer(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

/** Links to servers of which the first calls are answered by errors, then by `done`. */
function stage(errors: readonly string[], { several = true } = {}) {
  const waiting = [...errors];
  const tries: LinkRole[] = [];
  const rebuilt: unknown[] = [];
  const link = {
    evalsha: async () => {
      const error = waiting.shift();
      if (error === 'Command timed out') throw new Error(error);
      if (error !== undefined) throw answer(error);
      return 'done';
    },
  } as unknown as Redis;
  const links = {
    several,
    ready: async (role: LinkRole) => {
      tries.push(role);
      return link;
    },
    heard: () => undefined,
    met: () => undefined,
    rebuild: (dead: unknown) => rebuilt.push(dead),
  } as unknown as Links;
  const calls = new Calls(links);
  const run = (role: LinkRole, how?: { follow: boolean }): Promise<unknown> =>
    calls.run(role, 'orders', { name: 'x', sha1: 'x', lua: 'x' }, [], [], how);
  return { run, tries, rebuilt };
}

const MOVED = 'MOVED 3999 127.0.0.1:6381';

describe('a call for a queue', () => {
  it.each([
    ['that has moved', [MOVED]],
    ['that is on its way', ['ASK 3999 127.0.0.1:6381', 'TRYAGAIN Multiple keys', MOVED]],
  ])('%s goes after it', async (_, errors) => {
    const { run, tries } = stage(errors);

    expect(await run('commands')).toBe('done');
    expect(tries).toHaveLength(errors.length + 1);
  });

  it('that leases does not: the era is known only where it was asked for', async () => {
    await expect(stage([MOVED]).run('commands', { follow: false })).rejects.toMatchObject({
      reason: 'MOVED',
    });
  });

  it.each([MOVED, 'ASK 3999 127.0.0.1:6381', 'TRYAGAIN Multiple keys'])(
    'of upkeep does not, since it must be decided on anew: %s',
    async (error) => {
      const { run, tries } = stage([error]);

      await expect(run('maintenance')).rejects.toBeInstanceOf(BrokerError);
      expect(tries).toHaveLength(1);
    },
  );

  it('has nowhere to go where there is one server, and says what to set', async () => {
    const call = stage([MOVED], { several: false }).run('commands');

    await expect(call).rejects.toMatchObject({ fix: expect.stringContaining('redis.cluster') as string });
  });
});

describe('a link', () => {
  it('on which a command waited in vain is made anew, and one that answers is not', async () => {
    const silent = stage(['Command timed out']);
    await expect(silent.run('commands')).rejects.toMatchObject({ reason: 'TIMEOUT' });
    const busy = stage(['BUSY Redis is busy running a script']);
    await expect(busy.run('commands')).rejects.toMatchObject({ reason: 'BUSY' });

    expect(silent.rebuilt).toHaveLength(1);
    expect(busy.rebuilt).toEqual([]);
  });
});
