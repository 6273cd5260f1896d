import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCase } from '../cases/bench-case.js';
import type { ContenderName } from '../contenders/contender.js';
import { type ProfileShare, readShares } from '../measure/profile-shares.js';
import { type Outcome, type Row, rowOf } from '../report/rows.js';
import type { Servers } from './servers.js';
import { runTrial } from './trial-process.js';

/** How to run cases. */
export interface BenchOptions {
  /** The program of trials. */
  readonly program: string;
  readonly servers: Servers;
  /** Trials of each contender, instead of what the case says. */
  readonly rounds?: number | undefined;
  /** Tasks of the window, instead of what fits in its time. */
  readonly tasks?: number | undefined;
  /** Factor on the length of windows. */
  readonly seconds: number;
  /** Whether to show where taskq's time goes, in cases that want it. */
  readonly profiles: boolean;
  /** First part of the names of profiles; none are written when it is not said. */
  readonly profile?: string | undefined;
  readonly say: (line: string) => void;
}

const DEADLINE_S = 60;

/** Windows of the trial of which a profile is taken. */
const PROFILED_WINDOWS = 4;

/**
 * Runs all trials of a case: rounds in which every contender has its turn, beginning with another one each time, so
 * that whatever comes over the machine meanwhile comes over all of them.
 */
export async function runCase(
  asked: BenchCase,
  contenders: readonly ContenderName[],
  options: BenchOptions,
): Promise<readonly Row[]> {
  const outcomes = new Map<ContenderName, Outcome[]>(contenders.map((name) => [name, []]));
  const rounds = options.rounds ?? asked.rounds;
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of rotated(contenders, round))
      outcomes.get(contender)!.push(await oneTrial(asked, contender, round, options));
  }
  const rows = contenders.map((name) => rowOf(asked.id, name, outcomes.get(name)!));
  if (!asked.profiled || !options.profiles) return rows;
  return Promise.all(
    rows.map(async (row) =>
      row.contender === 'taskq' ? { ...row, profile: await profileOf(asked, options) } : row,
    ),
  );
}

/** Whose code takes the time of taskq's process: by a trial whose window is so much longer that its start hardly counts. */
async function profileOf(asked: BenchCase, options: BenchOptions): Promise<readonly ProfileShare[]> {
  const folder = mkdtempSync(join(tmpdir(), 'taskq-bench-'));
  try {
    const seconds = options.seconds * PROFILED_WINDOWS;
    await oneTrial(asked, 'taskq', 0, { ...options, seconds, profile: join(folder, 'profile') });
    const [file] = readdirSync(folder);
    return file === undefined ? [] : readShares(join(folder, file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneTrial(
  asked: BenchCase,
  contender: ContenderName,
  round: number,
  { program, servers, tasks, seconds, profile, say }: BenchOptions,
): Promise<Outcome> {
  const name = `${asked.id} ${contender}, round ${round + 1}`;
  const began = performance.now();
  try {
    const address = await servers.empty(asked.server ?? 'memory');
    const findings = await runTrial(
      { ...address, case: asked.id, contender, seconds, tasks },
      {
        program,
        deadlineMs: (asked.deadline ?? DEADLINE_S) * 1000,
        profile: profile && `${profile}-${asked.id}-${contender}-${round + 1}`,
      },
    );
    say(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return findings;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say(`${name} FAILED: ${message}`);
    return { error: `round ${round + 1}: ${message.split('\n', 1)[0]}` };
  }
}

/** The same items, beginning with another one. */
function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const first = by % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}
