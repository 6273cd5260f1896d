import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach } from 'vitest';

/** A built program of the sample in a process of its own, and what it says. */
export class SampleProgram {
  out = '';
  err = '';
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Where it listens; rejects with what it said when it ends instead. */
  readonly url: Promise<string>;
  private readonly child: ChildProcess;

  constructor(file: string, environment: NodeJS.ProcessEnv = {}, args: readonly string[] = []) {
    const program = resolve('dist/apps/sample', file);
    if (!existsSync(program)) throw new Error(`${program} is not there: run npm run build first`);
    this.child = fork(program, args, {
      env: { ...withoutSettings(process.env), ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.stdout?.on('data', (bytes) => (this.out += String(bytes)));
    this.child.stderr?.on('data', (bytes) => (this.err += String(bytes)));
    this.ended = this.untilEnded();
    this.url = new Promise((done, fail) => {
      this.child.once('message', (message) => done((message as { listening: string }).listening));
      void this.ended.then((how) => fail(new Error(`it ended with ${how}: ${this.err}`)));
    });
    this.url.catch(() => undefined);
    running.add(this);
  }

  get pid(): number {
    return this.child.pid!;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** What it sees when this process dies. */
  disconnect(): void {
    this.child.disconnect();
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Not by its `close` event: that never comes once the channel was closed from this side. */
  private async untilEnded(): Promise<number | NodeJS.Signals | null> {
    const { stdout, stderr } = this.child;
    const [[code, signal]] = await Promise.all([
      once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
      ...[stdout, stderr].map((stream) => stream && once(stream, 'end')),
    ]);
    return code ?? signal;
  }
}

const running = new Set<SampleProgram>();

/** Ends what a test leaves running. */
export function closePrograms(): void {
  afterEach(async () => {
    await Promise.all([...running].map((program) => program.close()));
    running.clear();
  });
}

/** The developer's shell must not decide the test. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.entries(environment).filter(([name]) => !/^(TASKQ|REDIS)_|^NO_COLOR$/.test(name));
  return Object.fromEntries(names);
}
