import { createServer, connect, type Server, type Socket } from 'node:net';
import type { EffectAnswer, HistoryWriter } from './history.js';

/** What a handler asks of the sink. */
export interface EffectRequest {
  readonly key: string;
  readonly start: string;
  readonly fence: number;
}

/**
 * The outside world that handlers write to: one row per task that remembers the fence it was written with and refuses
 * a smaller one, as docs/guarantees.md tells users to do with their own database.
 */
export class Sink {
  private readonly rows = new Map<string, EffectRequest>();
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly path: string,
    private readonly history: HistoryWriter,
  ) {
    server.on('connection', (socket) => this.serve(socket));
  }

  static async listen(path: string, history: HistoryWriter): Promise<Sink> {
    const server = createServer();
    const sink = new Sink(server, path, history);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    return sink;
  }

  write(request: EffectRequest): EffectAnswer {
    const answer = this.judge(request);
    if (answer === 'applied') this.rows.set(request.key, request);
    this.history.add({ e: 'effect', ...request, answer });
    return answer;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    this.history.close();
  }

  private judge({ key, start, fence }: EffectRequest): EffectAnswer {
    const row = this.rows.get(key);
    if (!row || row.start === start || fence > row.fence) return 'applied';
    return fence === row.fence ? 'twice' : 'stale';
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    let rest = '';
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) socket.write(`${this.write(JSON.parse(line) as EffectRequest)}\n`);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }
}

/** A worker's connection to the sink: answers come in the order of requests. */
export class SinkClient {
  private readonly waiting: ((answer: EffectAnswer) => void)[] = [];
  private readonly socket: Socket;

  constructor(path: string) {
    this.socket = connect(path);
    let rest = '';
    this.socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.waiting.shift()?.(line as EffectAnswer);
    });
    this.socket.on('error', () => undefined);
  }

  write(request: EffectRequest): Promise<EffectAnswer> {
    this.socket.write(`${JSON.stringify(request)}\n`);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  close(): void {
    this.socket.destroy();
  }
}
