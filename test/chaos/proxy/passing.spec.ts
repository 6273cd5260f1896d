import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import { chunked, mulberry32 } from './chance.js';
import { engineScripts } from './engine-scripts.js';
import { FaultProxy } from './fault-proxy.js';
import { failure, lasting, proxyLab } from './proxy-lab.js';

const here = proxyLab();

describe('a proxy without faults', () => {
  it('passes everything on: commands, errors, large values, transactions', async () => {
    const client = await here.client();
    const value = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 256));
    await client.set(here.key, value);

    expect(await client.getBuffer(here.key)).toEqual(value);
    await expect(client.xadd(here.key, '*', 'a', '1')).rejects.toThrow('WRONGTYPE');
    expect(await client.multi().incr('n').incr('n').exec()).toEqual([
      [null, 1],
      [null, 2],
    ]);
    expect(here.proxy.counters).toMatchObject({ links: 1, dropped: 0, answered: 0, resets: 0 });
  });

  it('takes commands however they are chunked, inline ones and empty ones among them', async () => {
    const raw = await here.socket();
    const random = mulberry32(11);
    const commands = Array.from({ length: 300 }, (_, n) =>
      n % 3 === 0 ? `\r\nINCR ${here.key}\n` : `*2\r\n$4\r\nINCR\r\n$${here.key.length}\r\n${here.key}\r\n`,
    );
    for (const chunk of chunked(Buffer.from(commands.join('')), random)) {
      raw.send(chunk.toString());
      if (random() < 0.2) await new Promise(setImmediate);
    }
    const replies = commands.map((_, n) => `:${n + 1}\r\n`).join('');
    await waitFor(() => raw.received.length >= replies.length, { what: 'the replies' });

    expect(raw.received).toBe(replies);
    await waitFor(() => here.proxy.counters.replies === 300, { what: 'the count' });
    expect(here.proxy.counters.requests).toBe(300);
  });

  it('lets pass what is no RESP: Redis judges it', async () => {
    const raw = await here.socket();
    raw.send('PING\r\n*1\r\n:1\r\nPING\r\n');
    await waitFor(() => raw.ended, { what: 'the end' });

    expect(raw.received).toMatch(/^\+PONG\r\n-ERR Protocol error: expected '\$'/);
  });

  it('is quick enough for load: 20,000 pipelined commands', async () => {
    const client = await here.client();
    const begun = performance.now();
    for (let round = 0; round < 20; round += 1) {
      const pipeline = client.pipeline();
      for (let n = 0; n < 1000; n += 1) pipeline.incr(here.key);
      await pipeline.exec();
    }

    expect(await client.get(here.key)).toBe('20000');
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('does not collect what a client does not read', async () => {
    await here.direct.set(here.key, 'x'.repeat(1024 * 1024));
    const raw = await here.socket();
    raw.pause();
    for (let n = 0; n < 60; n += 1) raw.send(`GET ${here.key}\r\n`);
    let collected = 0;
    while (collected === 0 || collected < here.proxy.counters.replies) {
      collected = here.proxy.counters.replies;
      await lasting(100);
    }
    // Some megabytes are in the kernel's buffers.
    expect(collected).toBeLessThan(40);
    raw.resume();
    await waitFor(() => raw.received.length > 60 * 1024 * 1024, { what: 'all of it', timeoutMs: 10_000 });
  });
});

describe('what the proxy tells', () => {
  it('is who is connected, and since when', async () => {
    const begun = performance.now();
    await here.client({ connectionName: 'first' });
    await here.socket();
    await waitFor(() => here.proxy.links().length === 2, { what: 'both' });
    const [first, second] = here.proxy.links();

    expect([first!.name, second!.name]).toEqual(['first', '']);
    expect(first!.openedAt).toBeGreaterThan(begun);
    expect(second!.openedAt).toBeGreaterThanOrEqual(first!.openedAt);
    expect(second!.id).toBeGreaterThan(first!.id);
  });

  it('is every command, to whoever listens, until they stop', async () => {
    const client = await here.client({ connectionName: 'taskq:commands' });
    const heard: string[] = [];
    const stop = here.proxy.onCommand(({ command, args, link, connection }) => {
      heard.push([connection, link, command, ...args].join(' '));
    });
    await client.set(here.key, 'a b');
    await client.get(here.key);
    stop();
    await client.ping();

    const { id } = here.proxy.links()[0]!;
    expect(heard).toEqual([
      `${id} taskq:commands SET ${here.key} a b`,
      `${id} taskq:commands GET ${here.key}`,
    ]);
  });

  it('can be acted on before Redis sees the command', async () => {
    const client = await here.client();
    here.proxy.onCommand(({ command }) => {
      if (command === 'SET') here.proxy.resetAll();
    });
    await failure(client.set(here.key, 'x'));

    expect(await here.direct.exists(here.key)).toBe(0);
  });
});

describe('a closed proxy', () => {
  it('has no connections, on either side, and rejects what would be waited for in vain', async () => {
    const proxy = await FaultProxy.start(here.server.connection);
    const rule = proxy.dropReply({ match: { command: 'NEVER' } });
    const raw = await here.socket();
    await proxy.close();

    await expect(rule.happened).rejects.toThrow('removed');
    expect(() => proxy.url).toThrow('does not listen');
    expect(raw.ended).toBeUndefined();
  });

  it('closes while connections are frozen, swallowed and hanging', async () => {
    const [hanging, swallowed, frozen] = [
      await here.client(),
      await here.client({ connectionName: 'swallowed' }),
      await here.client(),
    ];
    const lost = here.proxy.dropReply({ match: { command: 'INCR' }, end: 'hang' });
    const calls = [failure(hanging.incr(here.key))];
    await lost.happened;
    here.proxy.blackHole({ link: 'swallowed' });
    calls.push(failure(swallowed.ping()));
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the command to vanish' });
    here.proxy.freeze();
    calls.push(failure(frozen.ping()));
    await here.proxy.close();

    for (const call of calls) expect((await call).message).toBe('Connection is closed.');
    await waitFor(async () => lines(await here.direct.client('LIST')) === 1, { what: 'Redis to know' });
  });
});

describe('the names of scripts', () => {
  it('are those that the engine has', () => {
    const names = [...engineScripts().values()];

    expect(names).toEqual(expect.arrayContaining(['enqueue', 'promote']));
    expect(new Set(names).size).toBe(names.length);
    expect([...engineScripts().keys()].every((sha1) => /^[0-9a-f]{40}$/.test(sha1))).toBe(true);
  });
});

function lines(list: unknown): number {
  return String(list).trim().split('\n').length;
}
