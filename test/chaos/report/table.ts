import type { Row } from '../laboratory.js';

/** Rows as a table for people; `head`: with the names of the columns. */
export function table(rows: readonly Row[], { head }: { readonly head: boolean }): string {
  const lines = head
    ? ['| fault | runs | lost | duplicates | effects twice | recovery p50 / p99 / max, ms | broken |', RULE]
    : [];
  for (const row of rows) {
    const { p50, p99, max } = row.recoveryMs;
    const recovery = max > 0 ? `${p50} / ${p99} / ${max}` : '–';
    lines.push(
      `| ${row.fault} ${row.title} | ${row.runs} | ${row.lost} | ${row.duplicates} | ${row.duplicateEffects} | ${recovery} | ${row.broken.length} |`,
    );
  }
  return lines.join('\n');
}

const RULE = '| --- | --: | --: | --: | --: | --: | --: |';
