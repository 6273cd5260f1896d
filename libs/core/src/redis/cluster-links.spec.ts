import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { slotOf } from '../contract/hash-slot.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { ClusterLinks } from './cluster-links.js';

const SLOTS = 16_384;

/** A node of a Cluster that says who has which slots, and nothing else of interest. */
class FakeNode {
  /** By port: the slots from this one to the next. */
  static layout: readonly (readonly [from: number, to: number, port: number])[] = [];
  asked = 0;
  /** Connections that were made to it. */
  connections = 0;
  /** It takes what is sent and answers nothing. */
  hangs = false;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly listener: Server) {
    listener.on('connection', (socket) => this.serve(socket));
  }

  static async start(): Promise<FakeNode> {
    const listener = createServer();
    const node = new FakeNode(listener);
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    return node;
  }

  get port(): number {
    return (this.listener.address() as { port: number }).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
  }

  private serve(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      // Commands are short here, and come whole.
      for (const command of bytes
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1)) {
        const words = command.split('\r\n').filter((_, i) => i % 2 === 1);
        if (!this.hangs) socket.write(this.answer(words.map((word) => word.toUpperCase())));
      }
    });
  }

  private answer([name, first]: readonly string[]): string {
    if (name === 'HELLO') return '-ERR unknown command `HELLO`\r\n';
    if (name === 'INFO') return '$11\r\nloading:0\r\n\r\n';
    if (name !== 'CLUSTER' || first !== 'SLOTS') return '+OK\r\n';
    this.asked += 1;
    const rows = FakeNode.layout.map(
      ([from, to, port]) => `*3\r\n:${from}\r\n:${to}\r\n*3\r\n$9\r\n127.0.0.1\r\n:${port}\r\n$1\r\nx\r\n`,
    );
    return `*${rows.length}\r\n${rows.join('')}`;
  }
}

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** Two nodes that share the slots, and links to the Cluster that they are. */
async function two(): Promise<{ links: ClusterLinks; nodes: [FakeNode, FakeNode]; moves: string[] }> {
  const nodes: [FakeNode, FakeNode] = [await FakeNode.start(), await FakeNode.start()];
  open.push(() => Promise.all(nodes.map((node) => node.stop())));
  FakeNode.layout = [
    [0, 8191, nodes[0].port],
    [8192, SLOTS - 1, nodes[1].port],
  ];
  const { redis } = resolveEngineOptions({
    redis: { cluster: nodes.map((node) => node.address), commandTimeout: '1s', connectTimeout: '2s' },
  });
  const links = new ClusterLinks(redis, () => 0.5);
  open.push(() => links.close());
  const moves: string[] = [];
  links.onReconnect((role, silentMs) => {
    if (silentMs === Number.POSITIVE_INFINITY) moves.push(role);
  });
  return { links, nodes, moves };
}

/** The name of a queue that lives in the first, or second, half of all slots. */
function queueIn(half: 0 | 1): string {
  for (let i = 0; ; i += 1) if (Math.floor(slotOf(`q${i}`) / (SLOTS / 2)) === half) return `q${i}`;
}

const portOf = (link: { options: { port?: number | undefined } }): number | undefined => link.options.port;

/** Asks until it leads there, as everybody does who uses links; answers where it led at last. */
async function untilItLeadsTo(port: number, links: ClusterLinks, queue: string): Promise<unknown> {
  let led: unknown;
  for (let tries = 0; led !== port && tries < 40; tries += 1) {
    led = await links.ready('commands', queue).then(portOf, (error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return led;
}

describe('ClusterLinks', () => {
  it('leads each queue to the node that has its slot', async () => {
    const { links, nodes } = await two();
    await links.connect();

    expect(portOf(await links.ready('commands', queueIn(0)))).toBe(nodes[0].port);
    expect(portOf(await links.ready('commands', queueIn(1)))).toBe(nodes[1].port);
  });

  it('finds its way by itself where nobody told it to connect, as in the thread that guards leases', async () => {
    const { links, nodes } = await two();
    const queue = queueIn(1);
    await expect(links.ready('maintenance', queue)).rejects.toMatchObject({ reason: 'UNAVAILABLE' });

    expect(await untilItLeadsTo(nodes[1].port, links, queue)).toBe(nodes[1].port);
  });

  it('tells of a queue that has moved before it leads there, whoever finds out first', async () => {
    const { links, nodes, moves } = await two();
    const queue = queueIn(0);
    await links.connect();
    const link = await links.ready('commands', queue);
    FakeNode.layout = [[0, SLOTS - 1, nodes[1].port]];
    // Somebody asks again and again while it looks anew: no call may slip through in between.
    links.met(link, new Error('CLUSTERDOWN the cluster is down'));
    while (portOf(await links.ready('commands', queue)) !== nodes[1].port) {
      await new Promise((resolve) => setImmediate(resolve));
    }

    expect(moves).toEqual(['commands', 'maintenance', 'blocking']);
  });

  it('asks another node when one hangs', async () => {
    const { links, nodes } = await two();
    await links.connect();
    const queue = queueIn(0);
    const link = await links.ready('commands', queue);
    await links.ready('commands', queueIn(1));
    nodes[0].hangs = true;
    FakeNode.layout = [[0, SLOTS - 1, nodes[1].port]];
    const asked = nodes[1].asked;
    links.met(link, new Error('CLUSTERDOWN the cluster is down'));

    expect(await untilItLeadsTo(nodes[1].port, links, queue)).toBe(nodes[1].port);
    expect(nodes[1].asked).toBeGreaterThan(asked);
  });

  it('tells of each node whose link for commands has reached it, also of one that joins later', async () => {
    const { links, nodes } = await two();
    const reached = new Set<number | undefined>();
    links.onArrival((link) => reached.add(portOf(link)));
    await links.connect();
    expect(reached).toEqual(new Set(nodes.map(({ port }) => port)));

    const third = await FakeNode.start();
    open.push(() => third.stop());
    FakeNode.layout = [[0, SLOTS - 1, third.port]];
    links.met(links.servers()[0]!, new Error('CLUSTERDOWN the cluster is down'));
    await expect.poll(() => reached).toContain(third.port);
  });

  it('takes over a redirection at once', async () => {
    const { links, nodes, moves } = await two();
    const queue = queueIn(0);
    await links.connect();
    const link = await links.ready('commands', queue);
    FakeNode.layout = [[0, SLOTS - 1, nodes[1].port]];
    links.met(link, new Error(`MOVED ${slotOf(queue)} ${nodes[1].address}`));

    expect(portOf(await links.ready('commands', queue))).toBe(nodes[1].port);
    expect(moves).toEqual(['commands', 'maintenance', 'blocking']);
  });

  it('opens nothing that it finds out about while it is being closed', async () => {
    const { links, nodes } = await two();
    await links.connect();
    const third = await FakeNode.start();
    open.push(() => third.stop());
    const link = await links.ready('commands', queueIn(0));
    const { topology } = links as unknown as { topology: { replace: (...told: unknown[]) => void } };
    const replace = topology.replace.bind(topology);
    let closing: Promise<void> | undefined;
    topology.replace = (...told) => {
      replace(...told);
      closing = links.close();
    };
    FakeNode.layout = [[0, SLOTS - 1, third.port]];
    links.met(link, new Error('CLUSTERDOWN the cluster is down'));
    await expect.poll(() => closing !== undefined).toBe(true);
    await closing;
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(nodes[0].connections).toBeGreaterThan(0);
    expect(third.connections).toBe(0);
  });

  it('leads nowhere once it is closed', async () => {
    const { links } = await two();
    await links.connect();
    await links.close();

    await expect(links.ready('commands', queueIn(0))).rejects.toMatchObject({
      reason: 'CLOSED',
      retryable: false,
    });
  });
});
