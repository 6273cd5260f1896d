import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cases } from '../../benchmarks/cases/cases.js';
import { type BenchRecord, documentOf } from '../../benchmarks/report/document.js';
import { pictures } from '../../benchmarks/report/plots.js';
import { Rows } from '../../benchmarks/report/rows.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 90_000;

interface Ending {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command line, as npm starts it. */
function bench(...args: readonly string[]): Promise<Ending> {
  const child = spawn(process.execPath, ['tools/bench.mjs', ...args], { cwd: root });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => (out += String(bytes)));
  child.stderr.on('data', (bytes) => (err += String(bytes)));
  return new Promise((done) => child.once('close', (code) => done({ code, out, err })));
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskq-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the benchmark', { timeout: PATIENCE_MS }, () => {
  it('measures, prints a table and writes one entry per case and contender', async () => {
    const file = join(folder, 'figures.json');
    const { code, out, err } = await bench(
      ...['--case', 'enqueue-100,process-100', '--contender', 'taskq,ceiling'],
      ...['--rounds', '1', '--tasks', '500', '--json', file],
    );
    expect(code, `it said: ${err}`).toBe(0);
    expect(out).toContain('| contender | tasks/s, × taskq |');

    const { machine, cases: rows } = JSON.parse(readFileSync(file, 'utf8')) as BenchRecord;
    expect(machine).toMatchObject({ node: process.version, contenders: { bullmq: expect.any(String) } });
    expect(rows.map((row) => [row.case, row.contender])).toEqual([
      ['enqueue-100', 'taskq'],
      ['enqueue-100', 'ceiling'],
      ['process-100', 'taskq'],
      ['process-100', 'ceiling'],
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ rounds: 1, tasks: 500 });
      for (const name of ['tasksPerSecond', 'nodeCpuMicros', 'redisCpuMicros'] as const)
        expect(row[name], `${row.case} ${row.contender} ${name}`).toBeGreaterThan(0);
      expect(row.cpuMicros).toBeCloseTo(row.nodeCpuMicros! + row.redisCpuMicros!, 0);
    }
  });

  it('measures handlers of Nest, and writes profiles where it is asked to', async () => {
    const { code, err } = await bench(
      ...['--case', 'process-100', '--contender', 'taskq-nest,taskq-nest-full'],
      ...['--rounds', '1', '--tasks', '200', '--profile', join(folder, 'p')],
    );
    expect(code, `it said: ${err}`).toBe(0);
    expect(readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))).toEqual([
      'p-process-100-taskq-nest-1.cpuprofile',
      'p-process-100-taskq-nest-full-1.cpuprofile',
    ]);
  });

  it('measures the cases that everybody has an own way for', async () => {
    const ids = 'pickup,lone-enqueue,delayed-500,steady-50,retry,dead-letter,memory-ready,backlog-1k,idle-1';
    const { code, err } = await bench(
      ...['--case', ids, '--contender', 'taskq'],
      ...['--rounds', '1', '--tasks', '100'],
    );
    expect(code, `it said: ${err}`).toBe(0);
  });

  it('ends with 1 when the gate is broken twice, and says by how much', async () => {
    const { code, out, err } = await bench('--gate', '--bound', '0', '--rounds', '1', '--tasks', '300');
    expect(code, `it said: ${err}`).toBe(1);
    expect(out.match(/^BROKEN enqueue-100 costs [\d.]+ × the ceiling, at most 0 × allowed$/gm)).toHaveLength(
      2,
    );
    expect(err).toContain('measuring once more');
  });

  it('ends with 0 when the gate is kept', async () => {
    const { code, out, err } = await bench('--gate', '--bound', '1000', '--rounds', '1', '--tasks', '300');
    expect(code, `it said: ${err}`).toBe(0);
    expect(out.match(/^kept {3}/gm)).toHaveLength(2);
  });

  it.each([
    [['--case', 'nothing'], 'there is no case "nothing"; --list says which there are'],
    [['--rounds', 'x'], '--rounds must be a whole number from 1, not "x"'],
    [['--nonsense'], "Unknown option '--nonsense'"],
    [
      ['--case', 'idle-1', '--contender', 'ceiling'],
      'none of these contenders is in these cases; --list says who is',
    ],
  ])('ends with 2 and one line after %j', async (args, message) => {
    const { code, out, err } = await bench(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});

describe('the results', () => {
  it.runIf(existsSync(join(root, 'benchmarks/results.json')))('are what the record says', () => {
    const record = JSON.parse(readFileSync(join(root, 'benchmarks/results.json'), 'utf8')) as BenchRecord;
    const rows = new Rows(record.cases);
    const drawn = pictures(rows, cases);
    expect(readFileSync(join(root, 'benchmarks/RESULTS.md'), 'utf8')).toBe(
      documentOf(record, { rows, cases, pictures: drawn }),
    );
    for (const { file, svg } of drawn)
      expect(readFileSync(join(root, 'benchmarks/plots', file), 'utf8'), `plot ${file}`).toBe(svg);
  });
});
