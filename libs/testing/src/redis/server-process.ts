import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EndingSignal, watchOver } from './die-with-parent.js';
import { type PingTarget, pingRedis } from './redis-ping.js';

/** What to run, and how to tell that it serves. */
export interface ProcessPlan {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /**
   * Asked for readiness besides reading the log. Only a place where nobody but this server can answer: on a port, a
   * stranger could have been faster.
   */
  ping: PingTarget | undefined;
  readyTimeoutMs: number;
  needsWatchdog: boolean;
  /** What this process still sends when it exits without having stopped the server: SIGTERM lets an AOF be saved. */
  signalOnExit: EndingSignal;
  /** For a command that only relays (the docker client): ends when its input ends, and needs another way to kill. */
  relay?: { killNow(): Promise<void> };
}

/** The server ended or was not ready in time. The message is its last words. */
export class ServerStartError extends Error {}

/** One such line for each kind of address, worded and written differently by version; a sentinel says its id. */
const READY_LINE = /ready to accept connections|sentinel id is/i;
const KEPT_LINES = 6;
const STOP_TIMEOUT_MS = 5_000;

/** Every server of this process that runs; one listener on the process's `exit` serves them all. */
const living = new Set<ServerProcess>();

/** A server process that we started and that has said that it is ready. Only this child is ever signalled. */
export class ServerProcess {
  private readonly child: ChildProcess;
  private readonly words: string[] = [];
  private readonly exited: Promise<void>;
  private readonly closed: Promise<void>;
  private watchdog: { release(): void } | undefined;
  private alive = true;
  private stopped = false;
  private failure = '';
  private heardReady: () => void = () => {};

  /** Rejects with {@link ServerStartError}; nothing runs then. */
  static async start(plan: ProcessPlan): Promise<ServerProcess> {
    const server = new ServerProcess(plan);
    try {
      await server.untilReady();
      return server;
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  private constructor(private readonly plan: ProcessPlan) {
    this.child = spawn(plan.command, plan.args, {
      env: plan.env,
      // Ctrl-C goes to the whole process group; Redis must outlive it until the workers have drained.
      detached: true,
      stdio: [plan.relay === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      const end = (): void => {
        this.alive = false;
        forget(this);
        this.watchdog?.release();
        resolve();
      };
      this.child.once('exit', end);
      this.child.once('error', (error) => {
        this.failure = error.message;
        if (this.child.pid === undefined) end();
      });
    });
    this.closed = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin?.on('error', () => {});
    for (const stream of [this.child.stdout, this.child.stderr]) {
      // Read for as long as the server lives: a full pipe would block it.
      if (stream) createInterface({ input: stream }).on('line', (line) => this.hear(line));
    }
    if (this.child.pid === undefined) return;
    surviveExit(this);
    if (plan.needsWatchdog) this.watchdog = watchOver(this.child.pid, plan.signalOnExit);
  }

  get pid(): number | undefined {
    return this.alive ? this.child.pid : undefined;
  }

  /** Whether {@link freeze} holds it at the moment. */
  get frozen(): boolean {
    return this.alive && this.stopped;
  }

  /** SIGSTOP: the process keeps its memory and its connections, and runs no further instruction. */
  freeze(): void {
    this.stopped = this.alive && this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.stopped = false;
    this.child.kill('SIGCONT');
  }

  /** SIGTERM, and SIGKILL when that does not end it in 5 seconds. */
  async terminate(): Promise<void> {
    if (!this.alive) return;
    if (this.plan.relay === undefined) this.child.kill('SIGTERM');
    else this.child.stdin?.end();
    // A frozen process takes the signal only when it runs again.
    if (this.frozen) this.thaw();
    if (!(await this.endedWithin(STOP_TIMEOUT_MS))) await this.kill();
  }

  async kill(): Promise<void> {
    if (!this.alive) return;
    await this.plan.relay?.killNow();
    if (this.plan.relay !== undefined && (await this.endedWithin(STOP_TIMEOUT_MS))) return;
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** For the process's `exit` event, where nothing can be awaited any more. */
  abandon(): void {
    this.child.kill(this.plan.relay === undefined ? this.plan.signalOnExit : 'SIGTERM');
    if (this.frozen) this.thaw();
  }

  private hear(line: string): void {
    if (line.trim() === '') return;
    this.words.push(line.trim());
    if (this.words.length > KEPT_LINES) this.words.shift();
    if (READY_LINE.test(line)) this.heardReady();
  }

  private async untilReady(): Promise<void> {
    const race = new AbortController();
    try {
      await Promise.race([
        new Promise<void>((resolve) => (this.heardReady = resolve)),
        ...(this.plan.ping === undefined ? [] : [this.untilPinged(this.plan.ping, race.signal)]),
        this.untilGone(race.signal),
        this.untilLate(race.signal),
      ]);
    } finally {
      race.abort();
    }
  }

  /** The second sign of readiness: `--loglevel warning` or `--logfile` among the arguments hide the log line. */
  private async untilPinged(target: PingTarget, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(250, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted && (await pingRedis(target, 1_000)) === 'pong') return;
    }
  }

  private async untilGone(signal: AbortSignal): Promise<void> {
    await this.exited;
    if (signal.aborted) return;
    // The last words may still be in the pipe; but a child of the server may hold it open.
    await Promise.race([this.closed, sleep(200)]);
    throw new ServerStartError(this.failure || this.lastWords() || 'it ended at once without a word');
  }

  private async untilLate(signal: AbortSignal): Promise<never> {
    await sleep(this.plan.readyTimeoutMs, undefined, { signal });
    throw new ServerStartError(`not ready after ${this.plan.readyTimeoutMs / 1000} s; ${this.lastWords()}`);
  }

  private async endedWithin(timeoutMs: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false);
    const ended = await Promise.race([this.exited.then(() => true), late]);
    timer.abort();
    return ended;
  }

  private lastWords(): string {
    return this.words.slice(-4).join('\n  ');
  }
}

/** An uncaught error or process.exit() in a test would otherwise leave orphans. */
function surviveExit(server: ServerProcess): void {
  // Before the folders are removed: a living server would go on writing into them.
  if (living.size === 0) process.prependListener('exit', abandonAll);
  living.add(server);
}

function forget(server: ServerProcess): void {
  living.delete(server);
  if (living.size === 0) process.off('exit', abandonAll);
}

function abandonAll(): void {
  living.forEach((server) => server.abandon());
}
