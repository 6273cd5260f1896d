import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** An event that this receiver never takes: it answers 410. */
export const REFUSED_EVENT = 'account.closed';
/** An event that it takes its time for, the first time it hears of it. */
export const SLOW_EVENT = 'report.requested';

/** How often it fails, of 1. */
const SHARES = { broken: 0.2, busy: 0.04, mute: 0.04 };
/** Far longer than a worker of the demo takes to end, and less than it waits for an answer. */
const SLOW_MS = 2500;
const BODY_LIMIT = 10_000;

/** What it did with one delivery. */
export type Reception = 'taken' | 'repeated' | 'broken' | 'busy' | 'mute' | 'refused' | 'given-up';

/** One delivery as the receiver saw it. */
export interface Delivery {
  /** The sender's `Idempotency-Key`. */
  readonly key: string;
  readonly event: string;
  readonly id: string;
  readonly reception: Reception;
}

/**
 * Somebody else's server: it fails a fifth of the time, is busy or never answers now and then, refuses one kind of
 * event for good, and acts once per `Idempotency-Key` however often it hears of it. Which delivery fails is decided
 * by a seed, what it is about and how often it came: every run is the same.
 */
export class WebhookReceiver {
  readonly deliveries: Delivery[] = [];
  private readonly seen = new Map<string, number>();
  private readonly taken = new Set<string>();

  private constructor(
    private readonly server: Server,
    private readonly seed: number,
    private readonly said: (delivery: Delivery) => void,
  ) {}

  /** Starts one on a free port of this machine. */
  static async start(
    seed = 1,
    said: (delivery: Delivery) => void = () => undefined,
  ): Promise<WebhookReceiver> {
    const server = createServer();
    const receiver = new WebhookReceiver(server, seed, said);
    server.on('request', (request, response) => {
      receiver.receive(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hooks`;
  }

  /** Keys that it acted on, once each. */
  get takenKeys(): ReadonlySet<string> {
    return this.taken;
  }

  /** Ends it, and every delivery that still waits for an answer. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { event, id } = JSON.parse(await bodyOf(request)) as { event: string; id: string };
    const key = String(request.headers['idempotency-key']);
    const nth = (this.seen.get(id) ?? 0) + 1;
    this.seen.set(id, nth);
    if (event === SLOW_EVENT && nth === 1) await sleep(SLOW_MS);
    const reception = request.socket.destroyed ? 'given-up' : this.decide(event, id, key, nth);
    const delivery = { key, event, id, reception };
    this.deliveries.push(delivery);
    this.said(delivery);
    answer(response, reception);
  }

  private decide(event: string, id: string, key: string, nth: number): Reception {
    if (event === REFUSED_EVENT) return 'refused';
    if (this.taken.has(key)) return 'repeated';
    const fate = fateOf(this.seed, id, nth);
    // Mute: it acts, and its answer is lost. The sender must ask again, and must not be taken for a second event.
    if (fate === 'taken' || fate === 'mute') this.taken.add(key);
    return fate;
  }
}

function answer(response: ServerResponse, reception: Reception): void {
  switch (reception) {
    case 'taken':
    case 'repeated':
      response.writeHead(200).end();
      return;
    case 'broken':
      response.writeHead(500).end();
      return;
    case 'busy':
      response.writeHead(429, { 'retry-after': '1' }).end();
      return;
    case 'refused':
      response.writeHead(410).end();
      return;
    case 'mute':
    case 'given-up': // nobody is told anything
  }
}

/** What becomes of the `nth` delivery about `id`: decided by these and the seed alone. */
export function fateOf(seed: number, id: string, nth: number): 'broken' | 'busy' | 'mute' | 'taken' {
  const chance = createHash('sha256').update(`${seed} ${id} ${nth}`).digest().readUInt32BE(0) / 2 ** 32;
  if (chance < SHARES.broken) return 'broken';
  if (chance < SHARES.broken + SHARES.busy) return 'busy';
  return chance < SHARES.broken + SHARES.busy + SHARES.mute ? 'mute' : 'taken';
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request) {
    body += String(part);
    if (body.length > BODY_LIMIT) throw new Error('too large');
  }
  return body;
}
