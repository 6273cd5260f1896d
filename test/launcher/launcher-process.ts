import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const SOURCES = resolve('libs/testing/src');

/** The launcher as plain JavaScript, for other node processes to import: they cannot read TypeScript, and no build
 * has to have run. It lies inside the project, so that `ioredis` resolves. */
export function compileLauncher(): { folder: string; remove(): void } {
  mkdirSync('.cache', { recursive: true });
  const root = mkdtempSync(resolve('.cache', 'launcher-test-'));
  const folder = join(root, 'redis');
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  mkdirSync(folder);
  const launcher = readdirSync(join(SOURCES, 'redis')).map((name) => join('redis', name));
  for (const name of ['wait-for.ts', ...launcher.filter((file) => file.endsWith('.ts'))]) {
    const { outputText } = ts.transpileModule(readFileSync(join(SOURCES, name), 'utf8'), { compilerOptions });
    writeFileSync(join(root, name.replace(/\.ts$/, '.js')), outputText);
  }
  const tool = readFileSync(resolve('tools/redis.mjs'), 'utf8').replace(
    '@taskq/testing',
    './redis-server.js',
  );
  writeFileSync(join(folder, 'redis.mjs'), tool);
  return { folder, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Another node process, and what it says. */
export interface Terminal {
  child: ChildProcess;
  /** Every line of standard output (`out`) and standard error (`err`) so far. */
  out: string[];
  err: string[];
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
}

/**
 * Runs a script with `startRedisServer`, `startRedisReplication` and `say(value)` (one line of JSON) at hand. The
 * package's index would ask for the engine's build.
 */
export function runScript(folder: string, script: string, env: NodeJS.ProcessEnv = process.env): Terminal {
  const from = (name: string): string => JSON.stringify(pathToFileURL(join(folder, name)).href);
  const source = [
    `import { startRedisServer } from ${from('redis-server.js')};`,
    `import { startRedisReplication } from ${from('redis-replication.js')};`,
    'const say = (value) => process.stdout.write(JSON.stringify(value) + "\\n");',
    script,
  ].join('\n');
  return open(['--input-type=module', '--eval', source], env);
}

/** Runs `npm run redis` without npm and the build. */
export function runTool(
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Terminal {
  return open([join(folder, 'redis.mjs'), ...args], env, cwd);
}

function open(args: string[], env: NodeJS.ProcessEnv, cwd?: string): Terminal {
  const child = spawn(process.execPath, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const terminal: Terminal = {
    child,
    out: [],
    err: [],
    ended: new Promise((done) => child.once('close', (code, signal) => done(code ?? signal))),
  };
  createInterface({ input: child.stdout }).on('line', (line) => terminal.out.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => terminal.err.push(line));
  return terminal;
}

/** Whether a process exists. One that has ended but was not yet waited for by its parent counts as gone. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}
