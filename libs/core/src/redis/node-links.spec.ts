import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { endpointOf } from './endpoint.js';
import type { LinkRole } from './links.js';
import { NodeLinks } from './node-links.js';

/** A server that lets everybody in, says of itself what it is told to, and nothing else of interest. */
class FakeServer {
  runId: string | undefined = 'run-1';
  replId = 'data-1';
  /** What it answers to SELECT. */
  selects = '+OK\r\n';
  /** What it answers to PING. */
  pings = '+PONG\r\n';
  /** Commands that it was sent on connections that it no longer answers. */
  readonly unanswered: string[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly deaf = new Set<Socket>();

  private constructor(private readonly listener: Server) {
    listener.on('connection', (socket) => this.serve(socket));
  }

  static async start(port = 0): Promise<FakeServer> {
    const listener = createServer();
    await new Promise<void>((resolve) => {
      listener.listen(port, '127.0.0.1', resolve);
    });
    return new FakeServer(listener);
  }

  get port(): number {
    return (this.listener.address() as { port: number }).port;
  }

  /** Ends every connection; new ones are welcome. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  /** Answers nothing on the connections that there are; new ones are served. */
  goDeaf(): void {
    for (const socket of this.sockets) this.deaf.add(socket);
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      // Commands are short here, and come whole.
      const commands = bytes
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1);
      for (const command of commands) {
        const name = command.split('\r\n')[1]!.toUpperCase();
        if (this.deaf.has(socket)) this.unanswered.push(name);
        else socket.write(this.answer(name));
      }
    });
  }

  private answer(name: string): string {
    if (name === 'HELLO') return '-ERR unknown command `HELLO`\r\n';
    if (name === 'SELECT') return this.selects;
    if (name === 'PING') return this.pings;
    if (name !== 'INFO') return '+OK\r\n';
    const identity = this.runId && `run_id:${this.runId}\r\nmaster_replid:${this.replId}\r\n`;
    const info = `${identity ?? ''}loading:0\r\n`;
    return `$${info.length}\r\n${info}\r\n`;
  }
}

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function server(): Promise<FakeServer> {
  const made = await FakeServer.start();
  open.push(() => made.stop());
  return made;
}

/** Links to it, and what they tell of having been away. */
function linksTo(port: number, options: { db?: number; connectTimeout?: string } = {}) {
  const { redis } = resolveEngineOptions({ redis: { addr: `127.0.0.1:${port}`, ...options } as object });
  const links = new NodeLinks({ options: redis, endpoint: endpointOf(redis), random: () => 0 });
  open.push(() => links.close());
  const told: { role: LinkRole; silentMs: number }[] = [];
  links.onReconnect((role, silentMs) => told.push({ role, silentMs }));
  return { links, told };
}

/** Links of three roles to a server, which were lost and are back; answers what was told of that. */
async function lostAndBack(change: (server: FakeServer) => void) {
  const fake = await server();
  const { links, told } = linksTo(fake.port);
  await links.connect();
  for (const role of ['maintenance', 'blocking'] as const) await links.ready(role, 'q');
  change(fake);
  fake.hangUp();
  await expect.poll(() => told.length).toBe(3);
  return { roles: told.map(({ role }) => role).toSorted(), silences: told.map(({ silentMs }) => silentMs) };
}

const ROLES = ['blocking', 'commands', 'maintenance'];
const FOR_EVER = Array.from({ length: 3 }, () => Number.POSITIVE_INFINITY);

describe('a link that is back', () => {
  it('says for how long nothing was heard, where it is the same server', async () => {
    const { roles, silences } = await lostAndBack(() => undefined);

    expect(roles).toEqual(ROLES);
    for (const silentMs of silences) expect(silentMs).toBeLessThan(1000);
  });

  it.each([
    ['another run of the server', (fake: FakeServer) => (fake.runId = 'run-2')],
    ['the same run with other data, as after two failovers', (fake: FakeServer) => (fake.replId = 'data-2')],
  ])('knows nothing of what was before where it leads to %s, and so does every other', async (_, change) => {
    const { roles, silences } = await lostAndBack(change);

    expect(roles).toEqual(ROLES);
    expect(silences).toEqual(FOR_EVER);
  });

  it.each([
    ['the same', false],
    ['another', true],
  ])('has the address to go by where servers do not tell who they are: %s', async (_, moves) => {
    const [fake, other] = [await server(), await server()];
    for (const one of [fake, other]) one.runId = undefined;
    const { links, told } = linksTo(fake.port);
    await links.connect();
    if (moves) links.commands.options.port = other.port;
    fake.hangUp();
    await expect.poll(() => told.length).toBe(1);

    expect(Number.isFinite(told[0]!.silentMs)).toBe(!moves);
  });
});

describe('a link for commands', () => {
  it('is told of whenever it has reached a server, and no other link is', async () => {
    const fake = await server();
    const { links, told } = linksTo(fake.port);
    const reached: unknown[] = [];
    const forget = links.onArrival((link) => reached.push(link));
    await links.connect();
    await links.ready('maintenance', 'q');
    expect(reached).toEqual([links.commands]);

    fake.hangUp();
    await expect.poll(() => told.length).toBe(2);
    expect(reached).toEqual([links.commands, links.commands]);
    forget();
    fake.hangUp();
    await expect.poll(() => told.length).toBe(4);
    expect(reached).toHaveLength(2);
  });
});

describe('a database that the server does not have', () => {
  it('is refused at once, with what to set: the client would go on in the first one', async () => {
    const fake = await server();
    fake.selects = '-ERR DB index is out of range\r\n';
    const { links } = linksTo(fake.port, { db: 5 });
    const error = await links.connect().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'TASKQ_REDIS_UNUSABLE', fix: expect.stringContaining('redis.db') });
    expect((error as Error).message).toContain('DB index is out of range');
  });

  it('leaves a link without a server, also one that had it before', async () => {
    const fake = await server();
    const { links, told } = linksTo(fake.port, { db: 5 });
    await links.connect();
    fake.selects = '-NOPERM this user has no permissions to run the select command\r\n';
    fake.hangUp();
    await expect.poll(() => links.commands.status).not.toBe('ready');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(told).toEqual([]);

    fake.selects = '+OK\r\n';
    await expect.poll(() => told.length).toBe(1);
  });

  it('of a node of a Cluster is refused with the option that is meant', async () => {
    const fake = await server();
    fake.selects = '-ERR SELECT is not allowed in cluster mode\r\n';
    const { links } = linksTo(fake.port, { db: 1 });

    await expect(links.connect()).rejects.toMatchObject({ fix: expect.stringContaining('redis.cluster') });
  });
});

describe('waiting for a link', () => {
  it('ends as soon as it is there, however many wait, and warns of nothing', async () => {
    const fake = await server();
    const { links } = linksTo(fake.port);
    const warnings: Error[] = [];
    const listen = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', listen);
    const found = await Promise.all(Array.from({ length: 40 }, () => links.ready('maintenance', 'q')));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);

    expect(new Set(found).size).toBe(1);
    expect(warnings).toEqual([]);
    // Nobody listens any more who waited.
    expect(found[0]!.listenerCount('sentinelError')).toBe(0);
  });

  it('goes on while nobody is there, and ends when somebody comes', async () => {
    const gone = await server();
    const { port } = gone;
    await gone.stop();
    const { links } = linksTo(port, { connectTimeout: '5s' });
    const connected = links.connect();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const back = await FakeServer.start(port);
    open.push(() => back.stop());

    await expect(connected).resolves.toBeUndefined();
  });

  it('ends when the links are closed, also between two tries', async () => {
    const gone = await server();
    const { port } = gone;
    await gone.stop();
    const { links } = linksTo(port, { connectTimeout: '10s' });
    const begun = performance.now();
    const connected = links.connect().catch((thrown: unknown) => thrown);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await links.close();

    expect(await connected).toBeInstanceOf(Error);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe('a link that is judged dead', () => {
  async function three() {
    const fake = await server();
    const { links, told } = linksTo(fake.port);
    await links.connect();
    const reading = await links.ready('blocking', 'q');
    await links.ready('maintenance', 'q');
    return { fake, links, told, reading };
  }

  it('has the idle ones to the same server prove that they are alive, and those that do not are made anew', async () => {
    const { fake, links, told } = await three();
    fake.goDeaf();
    links.rebuild(links.commands);

    await expect.poll(() => told.map(({ role }) => role).toSorted(), { timeout: 3000 }).toEqual(ROLES);
    expect(fake.unanswered).toEqual(['PING', 'PING']);
  });

  it('leaves alone those that do, and those that wait for an answer: theirs is another limit', async () => {
    const { fake, links, told, reading } = await three();
    fake.goDeaf();
    reading.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 9000, 'STREAMS', 'k', '>').catch(() => undefined);
    const upkeep = await links.ready('maintenance', 'q');
    upkeep.disconnect(true);
    await expect.poll(() => told.length).toBe(1);
    links.rebuild(links.commands);
    await new Promise((resolve) => setTimeout(resolve, 1500));

    expect(told.map(({ role }) => role)).toEqual(['maintenance', 'commands']);
    expect(fake.unanswered).toEqual(['XREADGROUP']);
  });
});

describe('a server that says that it is a replica by now', () => {
  it.each(['READONLY You cannot write against a read only replica.', 'MASTERDOWN Link with MASTER is down'])(
    'is left: %s',
    async (says) => {
      const fake = await server();
      const { links, told } = linksTo(fake.port);
      await links.connect();
      fake.pings = `-${says}\r\n`;
      await expect(links.commands.ping()).rejects.toThrow(says.slice(0, 8));

      await expect.poll(() => told.length).toBe(1);
    },
  );
});
