import { record } from '../chaos/report/document.js';
import { machine } from '../chaos/report/machine.js';
import type { Finding } from './sabotage.js';

/** Takes what became of every defence over into docs/reliability-results.md. */
export async function recordFindings(findings: readonly Finding[], tookMs: number): Promise<void> {
  const caught = findings.filter(({ verdict }) => verdict === 'caught');
  const broken = findings.flatMap(({ verdict, name }, run) =>
    verdict === 'caught' ? [] : [{ run, what: [`${name} was ${verdict}`] }],
  );
  const row = {
    fault: 'G27',
    title: 'defences taken away, one at a time',
    bound: 'a test notices each',
    runs: findings.length,
    seed: 0,
    lost: 0,
    duplicates: 0,
    duplicateEffects: 0,
    recoveryMs: { p50: 0, p99: 0, max: 0 },
    counts: { removals: findings.length, caught: caught.length, 'tests that noticed': tests(caught) },
    command: 'npm run sabotage',
    removals: findings.map(({ tookMs: _tookMs, ...finding }) => finding),
    broken,
    tookMs: Math.round(tookMs),
  };
  record([row], await machine(), []);
}

function tests(findings: readonly Finding[]): number {
  return new Set(findings.map(({ said }) => said)).size;
}
