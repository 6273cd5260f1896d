import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Listening } from '../boot/run-sample.js';

/** Entry points of the sample. */
export type Program = 'main.api.js' | 'main.worker.js';

const KILL_AFTER_MS = 10_000;

/** The sample in a process of its own, as in production: it can be killed. */
export class SampleProcess {
  /** Where it listens, once it does. Rejects with its last words when it ends before. */
  readonly url: Promise<string>;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  private readonly child: ChildProcess;
  private over = false;

  /** Starts a program; everything it prints goes to `logFile`. */
  constructor(
    readonly name: string,
    program: Program,
    environment: NodeJS.ProcessEnv,
    logFile: string,
  ) {
    const log = openSync(logFile, 'a');
    this.child = fork(fileURLToPath(new URL(`../${program}`, import.meta.url)), [], {
      env: environment,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.over = true;
        resolve(code ?? signal);
      });
    });
    this.url = this.listening(logFile);
    this.url.catch(() => undefined); // whoever waits for it is told; nobody need wait
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.over) this.child.kill(signal);
  }

  /** Asks it to end, and makes it end when it takes too long. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const tooLong = setTimeout(() => this.signal('SIGKILL'), KILL_AFTER_MS);
    await this.ended;
    clearTimeout(tooLong);
  }

  private listening(logFile: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.child.once('message', (message) => resolve((message as Listening).listening));
      void this.ended.then((how) => {
        const words = readFileSync(logFile, 'utf8').trim().split('\n').slice(-12).join('\n');
        reject(new Error(`${this.name} did not start (${how}). Its last words:\n${words}`));
      });
    });
  }
}
