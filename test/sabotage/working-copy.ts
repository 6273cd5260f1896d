import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Packages of this project: links in node_modules that must lead into the copy. */
const OWN_SCOPE = '@taskq';

/** What a program that was run said, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** The project once more, in a folder of its own, where lines may be taken away. The packages it needs are shared. */
export class WorkingCopy {
  private readonly running = new Set<ReturnType<typeof spawn>>();

  private constructor(readonly folder: string) {}

  /** Copies everything that belongs to the project in `root`, as it is now. */
  static make(root: string): WorkingCopy {
    const folder = mkdtempSync(join(tmpdir(), 'taskq-sabotage-'));
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    });
    for (const file of listed.split('\0').filter((name) => name && existsSync(join(root, name)))) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      cpSync(join(root, file), join(folder, file));
    }
    linkPackages(root, folder);
    linkServerCache(root, folder);
    return new WorkingCopy(folder);
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Runs a Node program in the copy; after `timeoutMs` it is killed, and its code is null. */
  node(args: readonly string[], timeoutMs: number): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: this.folder,
        env: { ...process.env, NO_COLOR: '1', CI: 'true' },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      this.running.add(child);
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
      // What it has started is to end with it.
      const timer = setTimeout(() => killGroup(child.pid), timeoutMs);
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(timer);
        this.running.delete(child);
        resolve({ code, output: Buffer.concat(chunks).toString() });
      });
    });
  }

  remove(): void {
    for (const child of this.running) killGroup(child.pid);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function linkPackages(root: string, folder: string): void {
  const from = join(root, 'node_modules');
  const to = join(folder, 'node_modules');
  mkdirSync(join(to, OWN_SCOPE), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') || name === OWN_SCOPE) continue;
    symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(folder, 'libs'))) {
    symlinkSync(join(folder, 'libs', name), join(to, OWN_SCOPE, name));
  }
}

/** A server program that was fetched before need not be fetched again. */
function linkServerCache(root: string, folder: string): void {
  const cache = join(root, '.cache', 'redis');
  if (!existsSync(cache)) return;
  mkdirSync(join(folder, '.cache'), { recursive: true });
  symlinkSync(cache, join(folder, '.cache', 'redis'));
}
