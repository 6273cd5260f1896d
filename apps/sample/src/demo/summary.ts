import type { Check, Tally, Verdict } from './check-ledger.js';
import { paint } from '../terminal/paint.js';

/** What the closing summary says beside the verdict. */
export interface RunFacts {
  readonly redis: string;
  readonly tookMs: number;
}

/** The closing summary, line by line. */
export function summary({ tally, checks, ok }: Verdict, run: RunFacts): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const failed = checks.filter((check) => !check.ok).length;
  const verdict = ok
    ? paint(['green', 'bold'], `OK: all ${checks.length} checks agree`)
    : paint(['red', 'bold'], `FAILED: ${failed} of ${checks.length} checks`);
  return [
    '',
    paint('bold', 'Summary'),
    ...figures(tally).map(([name, figure]) => `  ${name.padEnd(14)} ${figure}`),
    '',
    paint('bold', 'Checked against the ledger (files of each process, what handlers left behind, Redis)'),
    ...checks.map((check) => checkLine(check, width)),
    '',
    `${verdict}, in ${(run.tookMs / 1000).toFixed(1)} s on ${run.redis}`,
    '',
  ].join('\n');
}

function figures(tally: Tally): [string, string][] {
  const dead = Object.entries(tally.deadByReason).map(([reason, count]) => `${count} ${reason}`);
  return [
    ['accepted', String(tally.accepted)],
    ['completed', `${tally.completed}${unannounced(tally)}`],
    ['retried', `${tally.retried} attempts`],
    ['dead-lettered', dead.join(', ') || '0'],
    ['reclaimed', `${tally.reclaimed} from the killed worker`],
    ['handed back', `${tally.handedBack} at SIGTERM`],
    ['lost', String(tally.lost)],
    ['duplicates', `${tally.startedTwice} started twice, ${tally.repeatedEffects} effects repeated`],
    ['wait', `p50 ${tally.waitP50Ms} ms, p99 ${tally.waitP99Ms} ms`],
  ];
}

/** Tasks whose end the killed worker could not tell any more are counted as what the other witnesses saw. */
function unannounced({ unannounced: count }: Tally): string {
  return count > 0 ? ` (${count} of them known by their effect: the kill came before the word)` : '';
}

function checkLine({ name, ok, found }: Check, width: number): string {
  return `  ${ok ? paint('green', 'ok    ') : paint('red', 'FAILED')}  ${name.padEnd(width)} ${found}`;
}
