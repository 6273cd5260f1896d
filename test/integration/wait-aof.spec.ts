import { EnqueueOutcomeUnknownError, type EngineOptions, type TaskQueue } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { engineScripts } from '../chaos/proxy/engine-scripts.js';
import { FaultProxy } from '../chaos/proxy/fault-proxy.js';
import { lab, lasting, range, rejection } from './harness.js';

const here = lab({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });

/** What `COMMAND INFO WAITAOF` answers where there is such a command, from Redis 7.2 on. */
const KNOWS_WAITAOF = '*1\r\n*2\r\n$7\r\nwaitaof\r\n:4\r\n';

/** What WAITAOF answers: how many disks have it, of this server and of its replicas. */
const onDisk = (local: 0 | 1): string => `*2\r\n:${local}\r\n:0\r\n`;

/** An engine on a server that seems to know WAITAOF, and what is sent for the sake of disks. */
async function open(options: EngineOptions = {}): Promise<{
  engine: TaskQueue;
  proxy: FaultProxy;
  sent: string[];
}> {
  const proxy = here.track(await FaultProxy.start(here.server.connection, { scripts: engineScripts() }));
  proxy.replyWith({ match: { command: 'COMMAND' }, times: Number.POSITIVE_INFINITY, raw: KNOWS_WAITAOF });
  const sent: string[] = [];
  proxy.onCommand((command) => {
    if (command.link !== 'taskq:durability') return;
    if (command.script === 'confirm' || command.command === 'WAITAOF')
      sent.push(command.script ?? command.command);
  });
  const redis = { url: proxy.url, commandTimeout: '1s', ...options.redis } as const;
  const engine = await here.open({ ...options, redis });
  return { engine, proxy, sent };
}

const DURABLE = { durability: 'durable' } as const;

describe('durable, of a server that can be asked to wait for its disk', () => {
  it('is answered once the disk has it, and not before', async () => {
    const { engine, proxy, sent } = await open();
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: 3, raw: onDisk(0) });
    const answering = engine.producer.enqueue('a', 1, DURABLE);
    let answered = false;
    void answering.then(() => (answered = true));
    const waited = proxy.replyWith({ match: { command: 'WAITAOF' }, raw: onDisk(1) });
    await waited.happened;

    expect(answered).toBe(false);
    expect(await answering).toMatchObject({ status: 'accepted', durability: 'durable' });
    expect(sent.filter((command) => command === 'WAITAOF')).toHaveLength(4);
    expect(await here.payloads()).toEqual([1]);
  });

  it('is asked for once for all that come together', async () => {
    const { engine, proxy, sent } = await open();
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: Number.POSITIVE_INFINITY, raw: onDisk(1) });
    await Promise.all(range(100).map((n) => engine.producer.enqueue('a', n, DURABLE)));

    expect(sent.filter((command) => command === 'WAITAOF').length).toBeLessThan(5);
    expect(await here.payloads()).toHaveLength(100);
  });

  it('needs no right to read the configuration: that it appends to a file is told to everybody', async () => {
    await here.admin.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all', '-config');
    const { engine, proxy } = await open({
      redis: { username: 'app', password: 'pw' },
      producer: { timeout: '500ms' },
    });
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: Number.POSITIVE_INFINITY, raw: onDisk(1) });

    await expect(engine.producer.enqueue('a', 1, DURABLE)).resolves.toMatchObject(DURABLE);
    await here.admin.config('SET', 'appendonly', 'no');
    await lasting(2050);
    const error = await rejection(engine.producer.enqueue('a', 1, DURABLE));
    expect(error).toMatchObject({ code: 'TASKQ_DURABILITY_UNAVAILABLE' });
    await here.admin.config('SET', 'appendonly', 'yes');
  });

  it('is not in doubt where nobody said what the server can give: nothing was sent', async () => {
    const { engine, proxy } = await open({
      producer: { timeout: '1500ms' },
      redis: { commandTimeout: '300ms' },
    });
    proxy.onCommand(({ command, connection, link }) => {
      if (command === 'INFO' && link === 'taskq:commands' && connection > 0) proxy.resetAll(link);
    });
    const error = await rejection(engine.producer.enqueue('a', 1, DURABLE));

    expect(error).toMatchObject({ code: 'TASKQ_BROKER', reason: 'UNAVAILABLE' });
    expect(await here.payloads()).toEqual([]);
  });

  it('is waited for by nobody who does not ask for it', async () => {
    const { engine, sent } = await open();

    await expect(engine.producer.enqueue('a', 1)).resolves.toMatchObject({ durability: 'accepted' });
    expect(sent).toEqual([]);
  });

  it('is unknown when the disk does not have it in time', async () => {
    const { engine, proxy } = await open({ producer: { timeout: '500ms' } });
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: Number.POSITIVE_INFINITY, raw: onDisk(0) });
    const error = await rejection(engine.producer.enqueue('a', 1, DURABLE));

    expect(error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(error.message).toContain('0 of 1 in time');
    expect(await here.payloads()).toEqual([1]);
  });

  it('is asked for anew on the connection that asks, when that breaks between question and wait', async () => {
    const { engine, proxy, sent } = await open();
    let breaks = 3;
    proxy.onCommand(({ command, link }) => {
      if (command !== 'WAITAOF' || breaks === 0) return;
      breaks -= 1;
      proxy.resetAll(link);
    });
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: Number.POSITIVE_INFINITY, raw: onDisk(1) });
    await expect(engine.producer.enqueue('a', 1, DURABLE)).resolves.toMatchObject(DURABLE);

    expect(sent.filter((command) => command === 'WAITAOF').length).toBeGreaterThanOrEqual(4);
    // A wait on a connection that has not just confirmed the group would be over at once, and mean nothing.
    const before = sent.filter((_, i) => sent[i + 1] === 'WAITAOF');
    expect(new Set(before)).toEqual(new Set(['confirm']));
    expect(await here.payloads()).toEqual([1]);
  });

  it.each([
    ['the wait is refused', 'NOPERM this user has no permissions to run the WAITAOF command', 'WAITAOF'],
    ['the question is refused', 'OOM command not allowed', 'EVALSHA'],
  ])(
    'is unknown when %s: the task was written, and to say that it was not would be a lie',
    async (...what) => {
      const [, error, command] = what;
      const { engine, proxy } = await open({ producer: { timeout: '500ms' } });
      proxy.replyWith({
        match: { command, link: 'taskq:durability' },
        times: Number.POSITIVE_INFINITY,
        error,
      });
      const refusal = await rejection(engine.producer.enqueue('a', 1, DURABLE));

      expect(refusal).toBeInstanceOf(EnqueueOutcomeUnknownError);
      expect(await here.payloads()).toEqual([1]);
    },
  );

  it('is unknown when there is nobody to ask: the task was written', async () => {
    const { engine, proxy } = await open({ producer: { timeout: '2500ms' } });
    proxy.onCommand(({ link }) => {
      if (link === 'taskq:durability') proxy.resetAll(link);
    });
    const error = await rejection(engine.producer.enqueue('a', 1, DURABLE));

    expect(error).toBeInstanceOf(EnqueueOutcomeUnknownError);
    expect(await here.payloads()).toEqual([1]);
  });
});

describe('a durability that could be had before', () => {
  it('is waited for when it cannot for a while, as after a failover', async () => {
    const { engine, proxy } = await open();
    proxy.replyWith({ match: { command: 'WAITAOF' }, times: Number.POSITIVE_INFINITY, raw: onDisk(1) });
    await engine.producer.enqueue('a', 'before', DURABLE);
    await here.admin.config('SET', 'appendonly', 'no');
    proxy.resetAll();
    const answering = engine.producer.enqueue('a', 'meanwhile', DURABLE);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await here.admin.config('SET', 'appendonly', 'yes');

    await expect(answering).resolves.toMatchObject({ status: 'accepted', durability: 'durable' });
  });
});
