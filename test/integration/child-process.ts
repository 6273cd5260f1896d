import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { EngineOptions } from '@taskq/core';
import { waitFor } from '@taskq/testing';
import { build } from 'vite';
import { afterAll, beforeAll } from 'vitest';

/** What a child said, and when we heard it (`performance.now()` of this process). */
export interface Said {
  readonly name: string;
  readonly at: number;
  readonly id?: string;
  readonly attempt?: number;
  readonly fence?: number;
  readonly reason?: string;
  readonly what?: string;
  readonly released?: number;
  readonly drained?: number;
}

/** A worker in a process of its own, which can be killed and stopped without mercy. */
export class WorkerProcess {
  readonly said: Said[] = [];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  errors = '';
  private readonly child: ChildProcess;

  constructor(program: string, options: EngineOptions) {
    this.child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child.on('message', (message) => {
      this.said.push({ ...(message as Said), at: performance.now() });
    });
    this.child.stderr?.on('data', (bytes) => {
      this.errors += String(bytes);
    });
    this.ended = new Promise((done) => this.child.once('close', (code, signal) => done(code ?? signal)));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  of(name: string, id?: string): Said[] {
    return this.said.filter((one) => one.name === name && (id === undefined || one.id === id));
  }

  async until(
    name: string,
    sought: { id?: string; count?: number; timeoutMs?: number } = {},
  ): Promise<Said[]> {
    const { id, count = 1, timeoutMs = 8000 } = sought;
    await waitFor(() => this.of(name, id).length >= count, {
      what: `${count} × ${name} of the child (${this.errors})`,
      timeoutMs,
    });
    return this.of(name, id);
  }

  /** Ends it whatever it does. */
  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** The thread that renews leases is looked for beside the code that starts it. */
const PROGRAMS = {
  'child-worker': 'test/integration/child-worker.ts',
  'lease-guard.thread': 'libs/core/src/redis/lease-guard.thread.ts',
};

/** Bundles the worker program from the sources as they are now, once per file; answers how to start it. */
export function workerProgram(): (options: EngineOptions) => WorkerProcess {
  let folder = '';
  beforeAll(async () => {
    // Inside the project, so that node finds ioredis from there.
    mkdirSync('.cache', { recursive: true });
    folder = mkdtempSync(resolve('.cache', 'worker-program-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    await build({
      configFile: false,
      logLevel: 'error',
      resolve: { tsconfigPaths: true },
      ssr: { external: ['ioredis'] },
      build: {
        ssr: true,
        outDir: folder,
        emptyOutDir: false,
        target: 'node20',
        minify: false,
        sourcemap: 'inline',
        rollupOptions: {
          input: Object.fromEntries(Object.entries(PROGRAMS).map(([name, file]) => [name, resolve(file)])),
          output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
        },
      },
    });
  });
  afterAll(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  return (options) => new WorkerProcess(join(folder, 'child-worker.js'), options);
}
