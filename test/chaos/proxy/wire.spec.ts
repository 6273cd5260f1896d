import { startRedisServer, waitFor } from '@taskq/testing';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { mulberry32 } from './chance.js';
import { FaultProxy } from './fault-proxy.js';
import { failure, lasting, proxyLab, staysOpen } from './proxy-lab.js';

const here = proxyLab({ random: mulberry32(7) });

/** How long a call took, in milliseconds. */
async function took(call: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await call();
  return performance.now() - begun;
}

/** How long each of 20 calls takes, one after the other. */
async function pings(client: Redis): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < 20; n += 1) times.push(await took(() => client.ping()));
  return times;
}

describe('latency', () => {
  it.each([
    ['both', 80],
    ['toServer', 40],
    ['toClient', 40],
  ] as const)(
    'makes each round take longer, also pipelined ones, until it is removed: %s',
    async (way, ms) => {
      const client = await here.client();
      const fault = here.proxy.latency(40, { direction: way });
      expect(await took(() => client.ping())).toBeGreaterThan(ms - 2);
      const many = await took(() => Promise.all(Array.from({ length: 50 }, () => client.incr(here.key))));
      expect(many).toBeGreaterThan(ms - 2);
      // One after the other they would take 50 times as long.
      expect(many).toBeLessThan(25 * ms);
      fault.remove();
      await client.ping();
      expect(Math.min(...(await pings(client)))).toBeLessThan(38);
      expect(await here.direct.get(here.key)).toBe('50');
    },
  );

  it('may be that of one client', async () => {
    const [slow, quick] = [
      await here.client({ connectionName: 'slow' }),
      await here.client({ connectionName: 'quick' }),
    ];
    here.proxy.latency(60, { link: 'slow', direction: 'toClient' });

    const slowly = took(() => slow.ping());

    expect(Math.min(...(await pings(quick)))).toBeLessThan(58);
    expect(await slowly).toBeGreaterThan(58);
  });

  it('keeps the order when it varies', async () => {
    const client = await here.client();
    here.proxy.latency(0, { jitterMs: 20, direction: 'toClient' });
    const times = await pings(client);
    expect(Math.max(...times)).toBeGreaterThan(15);
    expect(Math.min(...times)).toBeLessThan(8);
    const answers: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, () => client.incr(here.key).then((answer) => answers.push(answer))),
    );

    expect(answers).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
  });

  it('does not vary without a source of chance', async () => {
    const sober = await FaultProxy.start(here.server.connection);
    try {
      expect(() => sober.latency(1, { jitterMs: 1 })).toThrow('random');
    } finally {
      await sober.close();
    }
  });
});

describe('slices', () => {
  it('let bytes trickle, one at a time, and lose none', async () => {
    const raw = await here.socket();
    here.proxy.slice(1, 5);
    raw.send('ECHO trickling\r\n');
    await waitFor(() => raw.received.endsWith('trickling\r\n'), { what: 'all of it' });

    expect(raw.received).toBe('$9\r\ntrickling\r\n');
    expect(raw.arrivals.length).toBeGreaterThan(8);
    expect(raw.arrivals.at(-1)!.at - raw.arrivals[0]!.at).toBeGreaterThan(14 * 5 - 10);
  });

  it('break nothing for a client, not even in the middle of a value', async () => {
    const client = await here.client();
    here.proxy.slice(7, 0);
    const value = '✓'.repeat(200);
    await client.set(here.key, value);

    expect(await client.get(here.key)).toBe(value);
  });
});

describe('a bandwidth', () => {
  it('is what a connection gets at most', async () => {
    await here.direct.set(here.key, 'x'.repeat(20_000));
    const client = await here.client();
    here.proxy.bandwidth(100_000, { direction: 'toClient' });

    expect(await took(() => client.get(here.key))).toBeGreaterThan(180);
  });
});

describe('a black hole', () => {
  it('swallows replies: Redis applies, the client waits, and the connection stays open', async () => {
    const client = await here.client();
    expect(here.proxy.blackHole({ direction: 'toClient' }).links).toBe(1);
    const call = failure(client.incr(here.key));
    await waitFor(async () => (await here.direct.get(here.key)) === '1', { what: 'Redis to apply it' });
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the reply to vanish' });

    expect(await staysOpen(call, 60)).toBe(true);
    expect(client.status).toBe('ready');
    here.proxy.heal();
    expect((await call).message).toBe('Connection is closed.');
  });

  it.each(['toServer', 'both'] as const)(
    'swallows commands: Redis never sees them: %s',
    async (direction) => {
      const client = await here.client();
      here.proxy.blackHole({ direction });
      const call = failure(client.incr(here.key));
      await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the command to vanish' });

      expect(await staysOpen(call, 60)).toBe(true);
      expect(await here.direct.get(here.key)).toBeNull();
      here.proxy.heal();
      await call;
      expect(await here.direct.get(here.key)).toBeNull();
    },
  );

  it('is there for new connections, too: they are made and hear nothing', async () => {
    here.proxy.blackHole({ direction: 'toClient' });
    const raw = await here.socket();
    raw.send(`INCR ${here.key}\r\n`);
    await waitFor(async () => (await here.direct.get(here.key)) === '1', { what: 'Redis to apply it' });
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the reply to vanish' });

    expect(raw.received).toBe('');
    expect(raw.ended).toBeUndefined();
  });

  it('may be only for what is open now, and only for one client', async () => {
    const open = await here.client({ connectionName: 'taskq:blocking' });
    const other = await here.client({ connectionName: 'taskq:commands' });
    expect(here.proxy.blackHole({ link: 'taskq:blocking', openOnly: true }).links).toBe(1);
    const call = failure(open.ping());
    const next = await here.client({ connectionName: 'taskq:blocking' });

    expect(await next.ping()).toBe('PONG');
    expect(await other.ping()).toBe('PONG');
    expect(await staysOpen(call, 60)).toBe(true);
    here.proxy.heal();
    await call;
    expect(await next.ping()).toBe('PONG');
    expect(await other.ping()).toBe('PONG');
  });

  it('for one client takes in those that come by that name later', async () => {
    const hole = here.proxy.blackHole({ link: 'taskq:late', direction: 'toClient' });
    expect(hole.links).toBe(0);
    const named = here.clientToBe({ connectionName: 'taskq:late' });
    const connected = named.connect().catch(() => undefined);
    const other = await here.client();

    expect(await other.ping()).toBe('PONG');
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'replies to vanish' });
    expect(named.status).not.toBe('ready');
    hole.remove();
    await connected;
    expect(await other.ping()).toBe('PONG');
  });

  it('swallows the end of a connection, too: neither side hears that the other is gone', async () => {
    const [raw, other] = [await here.socket(), await here.socket()];
    raw.send('CLIENT SETNAME ghost\r\n');
    other.send('CLIENT SETNAME left-alone\r\n');
    await waitFor(() => raw.received + other.received === '+OK\r\n+OK\r\n', { what: 'the names' });
    here.proxy.blackHole({ openOnly: true });
    raw.leave();
    await here.direct.client('KILL', 'ID', await idOf('left-alone'));
    await waitFor(() => here.proxy.links().length === 1, { what: 'the client to be gone' });

    expect(await idOf('ghost')).toMatch(/\d+/);
    expect(other.ended).toBeUndefined();
    here.proxy.heal();
    await waitFor(async () => !(await idOf('ghost')), { what: 'the server to hear of it' });
    await waitFor(() => other.ended, { what: 'the client to hear of it' });
  });

  it('leaves connections that lost nothing as they were when it goes', async () => {
    const [used, idle] = [await here.client(), await here.client()];
    const hole = here.proxy.blackHole({ direction: 'toServer' });
    const call = failure(used.ping());
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the command to vanish' });
    hole.remove();

    expect((await call).message).toBe('Connection is closed.');
    expect(await idle.ping()).toBe('PONG');
    expect(here.proxy.counters.resets).toBe(1);
  });
});

describe('a frozen wire', () => {
  it('moves nothing until it is thawed, and then everything: nothing is lost', async () => {
    const client = await here.client();
    await client.ping();
    here.proxy.freeze();
    const calls = Promise.all(Array.from({ length: 100 }, () => client.incr(here.key)));
    expect(await staysOpen(calls, 80)).toBe(true);
    expect(await here.direct.get(here.key)).toBeNull();
    here.proxy.thaw();

    expect(await calls).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(here.proxy.counters).toMatchObject({ resets: 0, vanishedBytes: 0 });
  });

  it('holds new connections, and what Redis says, and ends of connections', async () => {
    const [reading, leaving] = [await here.socket(), await here.socket()];
    reading.send(`BLPOP ${here.key} 10\r\n`);
    leaving.send('CLIENT SETNAME leaving\r\n');
    await waitFor(() => leaving.received, { what: 'the name' });
    await waitFor(async () => String(await here.direct.client('LIST')).includes('cmd=blpop'), {
      what: 'the read to block',
    });
    here.proxy.freeze();
    const next = await here.socket();
    next.send('PING\r\n');
    await here.direct.lpush(here.key, 'popped');
    leaving.send(`INCR ${here.key}-left\r\n`);
    leaving.abort();
    await lasting(60);
    expect([reading.received, next.received]).toEqual(['', '']);
    expect(await idOf('leaving')).toMatch(/\d+/);
    expect(await here.direct.exists(`${here.key}-left`)).toBe(0);
    here.proxy.thaw();

    await waitFor(() => next.received === '+PONG\r\n', { what: 'the reply' });
    await waitFor(() => reading.received.includes('popped'), { what: 'what was popped' });
    // What was sent before the connection was reset is no more lost than anything else.
    await waitFor(async () => (await here.direct.get(`${here.key}-left`)) === '1', {
      what: 'the last command',
    });
    await waitFor(async () => !(await idOf('leaving')), { what: 'Redis to hear of it' });
  });

  it('can be frozen at the very moment of a command, before Redis sees it', async () => {
    const client = await here.client();
    here.proxy.onCommand(({ command }) => {
      if (command === 'SET') here.proxy.freeze();
    });
    const call = client.set(here.key, 'x');
    expect(await staysOpen(call, 60)).toBe(true);
    expect(await here.direct.exists(here.key)).toBe(0);
    here.proxy.heal();

    expect(await call).toBe('OK');
  });
});

describe('connections', () => {
  it('are cut, and none is let in before the proxy is healed', async () => {
    const client = await here.client();
    const read = failure(client.blpop(here.key, 10));
    await waitFor(() => here.proxy.links().length === 1, { what: 'the link' });
    here.proxy.cut();
    expect((await read).message).toBe('Connection is closed.');
    await failure(here.clientToBe().connect());
    const raw = await here.socket();
    await waitFor(() => raw.ended === 'reset', { what: 'the reset' });
    expect(here.proxy.links()).toEqual([]);
    here.proxy.heal();

    expect(await (await here.client()).ping()).toBe('PONG');
  });

  it('are all reset, or those of one name, and new ones are welcome', async () => {
    const [a, b] = [await here.client({ connectionName: 'a' }), await here.client({ connectionName: 'b' })];
    const reads = [failure(a.blpop(here.key, 10)), failure(b.blpop(here.key, 10))] as const;
    expect(here.proxy.resetAll('a')).toBe(1);
    expect((await reads[0]).message).toBe('Connection is closed.');
    expect(await staysOpen(reads[1], 40)).toBe(true);
    const c = await here.client();
    expect(here.proxy.resetAll()).toBe(2);
    await reads[1];
    await waitFor(() => c.status === 'end', { what: 'the third to hear of it' });

    expect(await (await here.client()).ping()).toBe('PONG');
    expect(here.proxy.counters.resets).toBe(3);
  });

  it('go to another Redis once the target was changed', async () => {
    const other = await startRedisServer({ listen: 'port' });
    try {
      const before = await here.client();
      await before.set('here', 'first');
      here.proxy.target = other.connection;
      expect(await before.get('here')).toBe('first');
      here.proxy.resetAll();
      const after = await here.client();

      expect(await after.get('here')).toBeNull();
      await after.quit();
    } finally {
      await other.stop();
    }
  });

  it('end when there is no Redis behind the proxy, and work when there is one again', async () => {
    here.proxy.target = { path: '/nowhere/redis.sock' };
    const raw = await here.socket();
    await waitFor(() => raw.ended === 'reset', { what: 'the reset' });
    here.proxy.target = here.server.connection;

    expect(await (await here.client()).ping()).toBe('PONG');
  });

  it('end on both sides when Redis closes them or the client does', async () => {
    const raw = await here.socket();
    raw.send('QUIT\r\n');
    await waitFor(() => raw.ended === 'closed', { what: 'the end' });
    expect(raw.received).toBe('+OK\r\n');
    const client = await here.client({ connectionName: 'leaving' });
    expect(await idOf('leaving')).toMatch(/\d+/);
    client.disconnect();
    await waitFor(async () => !(await idOf('leaving')), { what: 'Redis to hear of it' });
    await waitFor(() => here.proxy.links().length === 0, { what: 'no links' });
  });
});

/** Id of the connection to Redis by a name. */
async function idOf(name: string): Promise<string> {
  const list = String(await here.direct.client('LIST')).split('\n');
  return /^id=(\d+)/.exec(list.find((line) => line.includes(` name=${name} `)) ?? '')?.[1] ?? '';
}
