import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { failure, proxyLab, staysOpen } from './proxy-lab.js';

const here = proxyLab();

describe('an error that a rule replies with', () => {
  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'OOM command not allowed when used memory > maxmemory.',
    'NOGROUP No such key',
  ])('is what the client gets, and Redis never sees the command: %s', async (error) => {
    const client = await here.client();
    const rule = here.proxy.replyWith({ match: { command: 'XADD' }, error });
    const failed = await failure(client.xadd(here.key, '*', 'a', '1'));

    expect(failed).toMatchObject({ name: 'ReplyError', message: error });
    expect(await here.direct.exists(here.key)).toBe(0);
    expect((await rule.happened).command).toBe('XADD');
    // Once, unless told otherwise; and the connection is as good as before.
    await client.xadd(here.key, '*', 'a', '1');
    expect(await here.direct.xlen(here.key)).toBe(1);
    expect(here.proxy.counters).toMatchObject({ answered: 1, resets: 0 });
  });

  it('stands where the reply of Redis would: behind those to the commands before it', async () => {
    const client = await here.client();
    here.proxy.replyWith({ match: { text: 'refused' }, error: 'BUSY wait', times: 2 });
    const seen = await Promise.allSettled([
      client.incr(here.key),
      client.set(here.key, 'refused'),
      client.incr(here.key),
      client.set(here.key, 'refused'),
      client.set(here.key, 'refused'),
      client.get(here.key),
    ]);

    expect(seen.map((result) => (result.status === 'fulfilled' ? result.value : 'refused'))).toEqual([
      1,
      'refused',
      2,
      'refused',
      'OK',
      'refused',
    ]);
  });

  it('is replied at once to a command behind nothing, and waits behind a read that blocks', async () => {
    const client = await here.client();
    const rule = here.proxy.replyWith({ match: { command: 'PING' }, error: 'BUSY wait', times: 2 });
    expect((await failure(client.ping())).message).toBe('BUSY wait');
    const read = client.blpop(here.key, 10);
    const ping = failure(client.ping());
    expect(await staysOpen(ping, 60)).toBe(true);
    await here.direct.lpush(here.key, 'read');

    expect(await read).toEqual([here.key, 'read']);
    expect((await ping).message).toBe('BUSY wait');
    await rule.done;
  });

  it('can hit the handshake', async () => {
    const rule = here.proxy.replyWith({ match: { command: 'CLIENT' }, error: 'NOPERM no', times: Infinity });
    const client = await here.client({ connectionName: 'nameless' });

    expect(await client.ping()).toBe('PONG');
    expect(rule.count).toBeGreaterThan(0);
    expect(String(await here.direct.client('LIST'))).not.toContain('nameless');
  });

  it('is replied instead of whatever else was to befall the command; that befalls the next', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'INCR' } });
    here.proxy.replyWith({ match: { command: 'INCR' }, error: 'BUSY wait' });
    expect((await failure(client.incr(here.key))).message).toBe('BUSY wait');
    expect(lost.count).toBe(0);
    await failure(client.incr(here.key));

    expect(lost.count).toBe(1);
    expect(await here.direct.get(here.key)).toBe('1');
  });

  it('is replied no more once the proxy is healed', async () => {
    const client = await here.client();
    const rule = here.proxy.replyWith({ match: { command: 'INCR' }, error: 'BUSY wait', times: Infinity });
    await failure(client.incr(here.key));
    here.proxy.heal();

    expect(await client.incr(here.key)).toBe(1);
    expect(rule.count).toBe(1);
    expect(here.proxy.counters.resets).toBe(0);
  });

  it('is replied until its rule is taken away', async () => {
    const client = await here.client();
    const rule = here.proxy.replyWith({ match: { command: 'GET' }, error: 'TRYAGAIN', times: Infinity });
    for (let n = 0; n < 3; n += 1) expect((await failure(client.get(here.key))).message).toBe('TRYAGAIN');
    rule.remove();

    expect(await client.get(here.key)).toBeNull();
    expect(rule.count).toBe(3);
    await expect(rule.done).rejects.toThrow('removed');
  });

  it('may be any reply at all', async () => {
    const client = await here.client();
    here.proxy.replyWith({ match: { command: 'GET' }, raw: '*2\r\n:1\r\n$3\r\nodd\r\n' });

    expect(await client.get(here.key)).toEqual([1, 'odd']);
    expect(() => here.proxy.replyWith({})).toThrow('replyWith needs');
  });
});

describe('a late reply', () => {
  it('arrives that much later; Redis has applied the command by then, and the order is kept', async () => {
    const client = await here.client();
    const late = here.proxy.lateReply({ match: { command: 'INCR' }, ms: 120 });
    const arrived: string[] = [];
    const begun = performance.now();
    const calls = [
      client.ping().then(() => arrived.push('before')),
      client.incr(here.key).then(() => arrived.push('late')),
      client.ping().then(() => arrived.push('behind')),
    ];
    await late.happened;
    expect(await here.direct.get(here.key)).toBe('1');
    expect(arrived).not.toContain('late');
    await Promise.all(calls);

    expect(arrived).toEqual(['before', 'late', 'behind']);
    expect(performance.now() - begun).toBeGreaterThan(115);
  });

  it('is late for its own connection only, and only once', async () => {
    const [client, other] = [await here.client(), await here.client()];
    const late = here.proxy.lateReply({ match: { command: 'INCR' }, ms: 10_000 });
    const call = client.incr(here.key);
    await late.happened;
    expect(await other.incr(here.key)).toBe(2);

    // Nothing was lost: healed, it arrives at once.
    here.proxy.heal();
    expect(await call).toBe(1);
    expect(here.proxy.counters.resets).toBe(0);
  });

  it('outlives a client that gave up waiting for it', async () => {
    const client = await here.client({ commandTimeout: 50 });
    const late = here.proxy.lateReply({ match: { command: 'INCR' }, ms: 150 });
    const error = await failure(client.incr(here.key));
    await late.happened;

    expect(error.message).toBe('Command timed out');
    expect(await here.direct.get(here.key)).toBe('1');
    await waitFor(() => client.ping().catch(() => false), { what: 'the connection to work again' });
    expect(await client.get(here.key)).toBe('1');
  });
});
