import { createHash } from 'node:crypto';
import { waitFor } from '@taskq/testing';
import { describe, expect, it } from 'vitest';
import type { SeenCommand } from './fault-proxy.js';
import { failure, lasting, proxyLab, staysOpen } from './proxy-lab.js';

const LUA = "return redis.call('XADD', KEYS[1], '*', 'by', 'script')";
const SHA1 = createHash('sha1').update(LUA).digest('hex');

const here = proxyLab({ scripts: new Map([[SHA1, 'append']]) });

describe('a reply that is dropped', () => {
  it('was given by Redis: the command is applied, and its client saw a lost connection', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'XADD' } });
    const error = await failure(client.xadd(here.key, '*', 'a', '1'));

    expect(error.message).toBe('Connection is closed.');
    expect(await here.direct.xlen(here.key)).toBe(1);
    expect((await lost.happened).command).toBe('XADD');
    expect(lost.count).toBe(1);
    expect(here.proxy.counters).toMatchObject({ dropped: 1, resets: 1 });
  });

  it.each([
    ['reset', 'reset'],
    ['close', 'closed'],
  ] as const)('ends the connection: %s', async (end, seen) => {
    const raw = await here.socket();
    here.proxy.dropReply({ match: { command: 'INCR' }, end });
    raw.send('PING\r\n');
    // Node reports a reset that comes together with the last bytes as a plain end.
    await waitFor(() => raw.received, { what: 'the reply before' });
    raw.send(`INCR ${here.key}\r\nPING\r\n`);
    await waitFor(() => raw.ended, { what: 'the end' });

    expect(raw.ended).toBe(seen);
    expect(raw.received).toBe('+PONG\r\n');
    expect(await here.direct.get(here.key)).toBe('1');
    await waitFor(() => here.proxy.links().length === 0, { what: 'the link to be gone' });
  });

  it('may leave the connection hanging: open, applying what is sent, and silent for ever', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'INCR' }, end: 'hang' });
    const calls = [client.incr(here.key), client.incr(here.key), client.ping()];
    await lost.happened;
    await waitFor(async () => (await here.direct.get(here.key)) === '2', { what: 'both to be applied' });

    expect(await staysOpen(Promise.race(calls), 60)).toBe(true);
    expect(client.status).toBe('ready');
    expect(here.proxy.links()).toHaveLength(1);
    expect(here.proxy.counters).toMatchObject({ dropped: 1, resets: 0 });
    // What would come now belonged to other calls: only a new connection is sound.
    here.proxy.heal();
    for (const call of calls) expect((await failure(call)).message).toBe('Connection is closed.');
  });

  it('is withheld only once Redis has answered', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'BLPOP' } });
    const call = client.blpop(here.key, 10).catch((error: unknown) => error);

    expect(await staysOpen(lost.happened, 60)).toBe(true);
    expect(client.status).toBe('ready');
    await here.direct.lpush(here.key, 'taken');
    await lost.happened;
    expect(await call).toBeInstanceOf(Error);
    expect(await here.direct.llen(here.key)).toBe(0);
  });

  it('does not take the replies before it along, nor does it let those behind it through', async () => {
    for (let run = 0; run < 20; run += 1) {
      const client = await here.client();
      const key = `${here.key}-${run}`;
      const lost = here.proxy.dropReply({ match: { command: 'INCR' }, nth: 6 });
      const calls = Array.from({ length: 10 }, () => client.incr(key));
      const seen = await Promise.allSettled(calls);
      await lost.done;

      expect(seen.map(({ status }) => status === 'fulfilled')).toEqual(calls.map((_, n) => n < 5));
      expect(Number(await here.direct.get(key))).toBeGreaterThanOrEqual(6);
    }
  });

  it('may be the nth that matches and as many as wanted, over all connections', async () => {
    const lost = here.proxy.dropReply({ match: { command: 'INCR' }, nth: 3, times: 2 });
    const outcomes: boolean[] = [];
    for (let n = 0; n < 7; n += 1) {
      const client = await here.client();
      outcomes.push(
        await client.incr(here.key).then(
          () => true,
          () => false,
        ),
      );
    }

    expect(outcomes).toEqual([true, true, false, false, true, true, true]);
    expect(await here.direct.get(here.key)).toBe('7');
    expect(lost.count).toBe(2);
    await lost.done;
  });

  it('is not used up by a command whose connection was lost before Redis answered', async () => {
    const [doomed, other] = [await here.client(), await here.client()];
    const lost = here.proxy.dropReply({ match: { command: ['BLPOP', 'GET'] } });
    const gone = failure(doomed.blpop(here.key, 10));
    await waitFor(async () => String(await here.direct.client('LIST')).includes('cmd=blpop'), {
      what: 'the read to block',
    });
    doomed.disconnect();
    await gone;
    await waitFor(() => here.proxy.links().length === 1, { what: 'the link to be gone' });

    await failure(other.get(here.key));
    expect((await lost.happened).command).toBe('GET');
  });

  it('is not used up either by a command behind one whose reply left the connection hanging', async () => {
    const [hanging, other] = [await here.client(), await here.client()];
    here.proxy.dropReply({ match: { command: 'INCR' }, end: 'hang' });
    const lost = here.proxy.dropReply({ match: { command: 'GET' } });
    const calls = [failure(hanging.incr(here.key)), failure(hanging.get(here.key))];
    await waitFor(() => here.proxy.counters.vanishedBytes > 0, { what: 'the second reply to vanish' });
    await failure(other.get(here.key));

    expect(lost.count).toBe(1);
    here.proxy.heal();
    await Promise.all(calls);
  });

  it('is dropped, whatever else was to befall it; that befalls the next', async () => {
    const client = await here.client();
    const late = here.proxy.lateReply({ match: { command: 'INCR' }, ms: 1 });
    const lost = here.proxy.dropReply({ match: { command: 'INCR' } });
    await failure(client.incr(here.key));
    expect([lost.count, late.count]).toEqual([1, 0]);
    await (await here.client()).incr(here.key);

    expect(late.count).toBe(1);
  });

  it('leaves a hanging connection open even when Redis ends it', async () => {
    const raw = await here.socket();
    const lost = here.proxy.dropReply({ match: { command: 'INCR' }, end: 'hang' });
    raw.send(`INCR ${here.key}\r\nQUIT\r\n`);
    await lost.happened;
    await waitFor(
      async () =>
        String(await here.direct.client('LIST'))
          .trim()
          .split('\n').length === 1,
      {
        what: 'Redis to end it',
      },
    );

    await lasting(40);
    expect(raw.ended).toBeUndefined();
  });

  it('is dropped no more when the rule is taken away, though its command was under way', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'BLPOP' } });
    const call = client.blpop(here.key, 10);
    await waitFor(() => here.proxy.counters.requests > 0, { what: 'the read' });
    await waitFor(async () => String(await here.direct.client('LIST')).includes('cmd=blpop'), {
      what: 'the read to block',
    });
    lost.remove();
    await here.direct.lpush(here.key, 'kept');

    expect(await call).toEqual([here.key, 'kept']);
    await expect(lost.happened).rejects.toThrow('removed');
    expect(lost.count).toBe(0);
  });
});

describe('the command whose reply is dropped', () => {
  const matching: [string, Parameters<typeof here.proxy.dropReply>[0]['match']][] = [
    ['its name, in any case', { command: 'evalsha' }],
    ['one of several names', { command: ['EVAL', 'EVALSHA'] }],
    ["its script's hash", { script: SHA1 }],
    ["its script's name", { script: 'append' }],
    ['its client', { link: 'taskq:commands', command: 'EVALSHA' }],
    ['text in it', { text: 'hit-me' }],
    ['a predicate', ({ args }: SeenCommand) => args.some((arg) => String(arg) === 'hit-me')],
  ];

  it.each(matching)('is found by %s, and no other', async (_by, match) => {
    await here.direct.script('LOAD', LUA);
    await here.direct.script('LOAD', 'return 1');
    const client = await here.client({ connectionName: 'taskq:commands' });
    const other = await here.client({ connectionName: 'taskq:blocking' });
    const lost = here.proxy.dropReply({ match: match! });
    await client.ping();
    await other.get('another');
    const error = await failure(client.evalsha(SHA1, 1, here.key, 'hit-me'));
    const { command, script, sha1, link } = await lost.happened;

    expect(error.message).toBe('Connection is closed.');
    expect({ command, script, sha1, link }).toEqual({
      command: 'EVALSHA',
      script: 'append',
      sha1: SHA1,
      link: 'taskq:commands',
    });
    expect(await here.direct.xlen(here.key)).toBe(1);
    expect(await other.ping()).toBe('PONG');
  });

  it('is found by its script, too, when it brings the text', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { script: 'append' } });
    await client.eval('return 1', 0);
    await failure(client.eval(LUA, 1, here.key));

    expect((await lost.happened).command).toBe('EVAL');
    expect(await here.direct.xlen(here.key)).toBe(1);
  });

  it('is found by its reply, also when it was sent before the rule was made', async () => {
    const client = await here.client();
    const call = failure(client.xread('BLOCK', 10_000, 'STREAMS', here.key, '$'));
    await waitFor(async () => String(await here.direct.client('LIST')).includes('cmd=xread'), {
      what: 'the read to block',
    });
    const lost = here.proxy.dropReply({ reply: '"ghost":true' });
    const other = await here.client();
    expect(await other.ping()).toBe('PONG');
    await here.direct.xadd(here.key, '*', 'payload', '{"ghost":true}');

    expect((await call).message).toBe('Connection is closed.');
    expect((await lost.happened).command).toBe('XREAD');
  });

  it.each([
    ['HELLO', '*4\r\n$5\r\nhello\r\n$1\r\n3\r\n$7\r\nsetname\r\n$7\r\ntaskq:x\r\n'],
    ['CLIENT', '*3\r\n$6\r\nclient\r\n$7\r\nsetname\r\n$7\r\ntaskq:x\r\n'],
  ])('has the name that its client told by %s', async (_how, telling) => {
    const raw = await here.socket();
    const lost = here.proxy.dropReply({ match: { link: 'taskq:x', command: 'PING' } });
    raw.send(`PING\r\n${telling}`);
    await waitFor(() => here.proxy.links()[0]?.name === 'taskq:x', { what: 'the name' });
    raw.send('PING\r\n');
    await waitFor(() => raw.ended, { what: 'the end' });

    expect(lost.count).toBe(1);
    expect(raw.received.match(/PONG/g)).toHaveLength(1);
  });
});

describe('a command that is lost before Redis sees it', () => {
  it('is never applied; those before it are answered, those behind it are lost with it', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'SET' }, beforeApply: true });
    const calls = [
      client.incr(here.key),
      client.set(`${here.key}-set`, 1),
      client.incr(here.key),
      client.ping(),
    ];
    const seen = await Promise.allSettled(calls);

    expect(seen.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    expect(await here.direct.get(here.key)).toBe('1');
    expect(await here.direct.exists(`${here.key}-set`)).toBe(0);
    expect((await lost.happened).command).toBe('SET');
    expect(here.proxy.counters).toMatchObject({ dropped: 1, resets: 1 });
  });

  it('waits for a blocked read before it, whose reply is not lost', async () => {
    const client = await here.client();
    const lost = here.proxy.dropReply({ match: { command: 'SET' }, beforeApply: true });
    const read = client.blpop(here.key, 10);
    const write = client.set(`${here.key}-set`, 1).catch((error: unknown) => error);
    await lost.happened;
    await here.direct.lpush(here.key, 'read');

    expect(await read).toEqual([here.key, 'read']);
    expect(await write).toBeInstanceOf(Error);
    expect(await here.direct.exists(`${here.key}-set`)).toBe(0);
  });
});

describe('subscriptions', () => {
  it.each([2, 3] as const)('do not shift which reply belongs to which command: RESP%i', async (protocol) => {
    const client = await here.client({ protocol });
    const messages: string[] = [];
    client.on('message', (_channel, message) => messages.push(message));
    await client.subscribe(`${here.key}-1`, `${here.key}-2`, `${here.key}-3`);
    for (const message of ['a', 'b']) await here.direct.publish(`${here.key}-2`, message);
    await waitFor(() => messages.length === 2, { what: 'the messages' });
    await client.unsubscribe(`${here.key}-1`, `${here.key}-3`);
    await client.unsubscribe();
    await client.ping();
    const lost = here.proxy.dropReply({ match: { command: 'INCR' } });
    await client.get(here.key);
    await failure(client.incr(here.key));

    expect((await lost.happened).command).toBe('INCR');
    expect(await here.direct.get(here.key)).toBe('1');
    expect(messages).toEqual(['a', 'b']);
  });
});
