import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedisServer, waitFor } from '@taskq/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '../launcher/launcher-process.js';
import { closePrograms, SampleProgram } from '../sample/sample-program.js';

const RUNS = join('.cache', 'sample');
const PATIENCE = { timeout: 60_000 };

let server: RedisServer;
let client: Redis;
let earlier: readonly string[];

beforeAll(async () => {
  server = await startRedisServer();
  client = new Redis(server.url);
});
afterAll(async () => {
  client?.disconnect();
  await server?.stop();
});
beforeEach(() => {
  earlier = runs();
});
afterEach(() => {
  for (const run of ownRuns()) rmSync(join(RUNS, run), { recursive: true, force: true });
});
closePrograms();

function demo(...args: string[]): SampleProgram {
  return new SampleProgram('demo.js', { REDIS_URL: server.url }, args);
}

function runs(): readonly string[] {
  return existsSync(RUNS) ? readdirSync(RUNS).filter((name) => name.startsWith('demo-')) : [];
}

/** Folders of runs that this test started and that are there now. */
function ownRuns(): readonly string[] {
  return runs().filter((name) => !earlier.includes(name));
}

/** What went wrong, by its own account. */
function complaints({ out, err }: SampleProgram): string {
  const failed = out.split('\n').filter((line) => line.includes('FAILED'));
  return [...failed, err].join('\n');
}

/** Ledgers of workers that have something to say. */
function ledgers(count: number): Promise<readonly string[]> {
  return waitFor(
    (): readonly string[] | undefined => {
      const folder = join(RUNS, ownRuns()[0]!, 'ledger');
      const files = readdirSync(folder).filter((name) => name.startsWith('facts-worker'));
      const written = files.map((name) => join(folder, name)).filter((file) => readFileSync(file).length > 0);
      return written.length >= count ? written : undefined;
    },
    { what: 'facts of workers', timeoutMs: 20_000 },
  );
}

describe('npm run demo', () => {
  it('agrees with its ledger, on the server that REDIS_URL names, and leaves nothing', PATIENCE, async () => {
    await client.set('somebody else', 'stays');
    const run = demo('--quick');

    expect({ exit: await run.ended, said: complaints(run) }).toEqual({ exit: 0, said: '' });
    expect(run.out).toContain('(REDIS_URL)');
    expect(run.out).toMatch(/kill -9 worker-2 with [1-9]\d* tasks running/);
    expect(run.out).toMatch(/^ {2}accepted +8\d\d$/m);
    expect(run.out).toMatch(/^ {2}lost +0$/m);
    expect(run.out).toMatch(/OK: all 14 checks agree/);
    expect(run.out).not.toContain('FAILED');
    expect(run.out).not.toContain('\u001B');
    expect(await client.keys('*')).toEqual(['somebody else']);
    expect(ownRuns()).toEqual([]);
  });

  it('fails when the ledger says otherwise, and keeps the evidence', PATIENCE, async () => {
    const run = demo('--quick');
    const [ledger] = await ledgers(1);
    const fact = { at: Date.now(), pid: 1, fact: 'completed', id: 'forged', queue: 'catalogue', attempt: 1 };
    appendFileSync(ledger!, `${JSON.stringify(fact)}\n`);

    expect(await run.ended).toBe(1);
    expect(run.out).toMatch(/FAILED {2}nothing ran that was not accepted +1 \(forged\)/);
    expect(run.out).toMatch(/FAILED: \d of 14 checks/);
    expect(run.err).toContain(join(RUNS, ownRuns()[0]!));
    expect(readdirSync(join(RUNS, ownRuns()[0]!))).toContain('worker-1.log');
  });

  it('cleans up after Ctrl-C', PATIENCE, async () => {
    const run = demo('--quick');
    const workers = (await ledgers(2)).map((file) => {
      const [line = '{}'] = readFileSync(file, 'utf8').split('\n');
      return (JSON.parse(line) as { pid: number }).pid;
    });
    run.signal('SIGINT');

    expect(await run.ended).toBe(130);
    expect(workers.filter(isRunning)).toEqual([]);
    expect(await client.keys('demo-*')).toEqual([]);
    expect(ownRuns()).toEqual([]);
  });

  it('explains itself, and refuses options that it does not know', async () => {
    const help = demo('--help');
    expect(await help.ended).toBe(0);
    expect(help.out).toContain('--quick');

    const wrong = demo('--fast');
    expect(await wrong.ended).toBe(2);
    expect(wrong.err).toContain('Unknown option: --fast');
  });
});
