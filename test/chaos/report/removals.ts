/** What became of a defence that was taken away. */
export interface RemovalFinding {
  readonly name: string;
  /** What would go wrong without it. */
  readonly defence: string;
  readonly file: string;
  readonly verdict: string;
  /** The test that noticed, or why nothing is shown. */
  readonly said: string;
}

/** Defences that were taken away, with the test that noticed, as a table for people. */
export function removalTable(findings: readonly RemovalFinding[]): string {
  return [
    '| taken away | in | noticed by |',
    '| --- | --- | --- |',
    ...findings.map(
      ({ name, defence, file, verdict, said }) =>
        `| **${name.replaceAll('-', ' ')}** ${cell(defence)} | ${file.split('/').at(-1)} | ${verdict === 'caught' ? '' : `${verdict}: `}${cell(said)} |`,
    ),
  ].join('\n');
}

/** Names of tests say what they like. */
function cell(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll(/[<*_`[\]]/g, '\\$&');
}
