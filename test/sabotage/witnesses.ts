import { join, relative } from 'node:path';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { Removal } from './removal.js';
import type { WorkingCopy } from './working-copy.js';

/** Tests that are asked: spec files, and of these perhaps only the tests whose full name matches. */
export type Witnesses = Pick<Removal, 'witnesses' | 'only'>;

/** What the tests said. `broken`: they could not judge, so nothing is proved either way. */
export interface Testimony {
  readonly verdict: 'green' | 'red' | 'broken';
  /** Red: the test that noticed. Broken: why. */
  readonly said: string;
  /** Red: that test alone, where it was one. */
  readonly noticed?: Witnesses;
  readonly tookMs: number;
}

/** A run of the tests of one removal ends after this, whatever it does. */
const LONGEST_MS = 240_000;

/** Failures that come of code that no longer is a program, not of a promise that no longer is kept. */
const NO_PROGRAM = /SyntaxError|ReferenceError|Error compiling script|Script attempted to access nonexistent/;

interface Report {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/**
 * Runs tests in a copy and says what they saw. The first that fails, and fails again when it is repeated at once, ends
 * it: what fails by chance has noticed nothing.
 */
export async function hear(copy: WorkingCopy, { witnesses, only }: Witnesses): Promise<Testimony> {
  const from = performance.now();
  const file = join(copy.folder, '.cache', 'witnesses.json');
  rmSync(file, { force: true });
  const { code, output } = await copy.node(
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--bail=1',
      '--retry=1',
      '--reporter=json',
      `--outputFile=${file}`,
      ...(only === undefined ? [] : ['--testNamePattern', only]),
      ...witnesses,
    ],
    LONGEST_MS,
  );
  const tookMs = performance.now() - from;
  const judged = (verdict: Testimony['verdict'], said: string): Testimony => ({ verdict, said, tookMs });
  if (code === null) return judged('red', `still not done after ${LONGEST_MS / 1000} s`);
  if (!existsSync(file)) return judged('broken', lastLines(output));
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const [failed] = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map((test) => ({ ...test, name })),
  );
  if (failed) {
    const why = failed.failureMessages.join('\n');
    if (NO_PROGRAM.test(why)) return judged('broken', why);
    const noticed = { witnesses: [relative(copy.folder, failed.name)], only: exactly(failed.fullName) };
    return { ...judged('red', failed.fullName), noticed };
  }
  const unloaded = report.testResults.find((suite) => suite.message);
  if (unloaded) return judged('broken', unloaded.message);
  if (code !== 0) return judged('red', firstError(output));
  if (report.numPassedTests === 0) return judged('broken', 'no test was run: is the name of one wrong?');
  return judged('green', `${report.numPassedTests} tests`);
}

/** A pattern of this name and no other. */
function exactly(name: string): string {
  return `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
}

function firstError(output: string): string {
  return output.split('\n').find((line) => line.includes('Error')) ?? lastLines(output);
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-5).join(' | ');
}
