import { type ChildProcess, fork } from 'node:child_process';
import { waitFor } from '@taskq/testing';
import { steadyMs } from '../history/history.js';
import type { ActorConfig } from './actor-config.js';

/** What an actor told its parent. */
interface Told {
  readonly fact: string;
  readonly detail?: unknown;
}

/** A process of the laboratory as the supervisor sees it. */
export class Actor {
  readonly told: Told[] = [];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** When it ended, in milliseconds of the machine's steady clock. */
  endedAt: number | undefined;
  errors = '';
  private readonly child: ChildProcess;

  constructor(
    program: string,
    readonly config: ActorConfig,
    nodeArgs: readonly string[] = [],
  ) {
    this.child = fork(program, [JSON.stringify(config)], {
      execArgv: [...nodeArgs],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.on('message', (message) => this.told.push(message as Told));
    this.child.on('error', (error) => (this.errors += String(error)));
    this.child.stderr?.on('data', (bytes) => (this.errors += String(bytes)));
    this.ended = new Promise((done) =>
      this.child.once('close', (code, signal) => {
        this.endedAt = steadyMs();
        done(code ?? signal);
      }),
    );
  }

  get name(): string {
    return this.config.name;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.endedAt === undefined;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Tells it to end in good order; see `ended`. */
  stop(): void {
    this.tell('stop');
  }

  /** Tells it something that its role understands. */
  tell(order: string | object): void {
    if (this.child.connected) this.child.send(order, () => undefined);
  }

  heard(fact: string): Told[] {
    return this.told.filter((one) => one.fact === fact);
  }

  /** Waits until it has told a fact. Rejects, with what it wrote to stderr, when that takes too long or it has ended. */
  async until(fact: string, timeoutMs = 15_000): Promise<unknown> {
    await waitFor(() => this.heard(fact).length > 0 || !this.running, {
      what: `${this.name} to be ${fact}`,
      timeoutMs,
    });
    const [first] = this.heard(fact);
    if (!first) throw new Error(`${this.name} ended before it was ${fact}: ${this.errors}`);
    return first.detail;
  }

  /** Ends it whatever it does. */
  async close(): Promise<void> {
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
