import type ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { code, codeBlocks, read, tableUnder, tables } from './markdown.js';
import { objectConstant } from './source.js';

/** The transitions of the code, as `from --> to`. */
function transitions(): readonly string[] {
  const table = objectConstant('libs/core/src/policy/task-state.ts', 'TRANSITIONS');
  return table.properties.flatMap((property) => {
    const { name, initializer } = property as ts.PropertyAssignment;
    const states = (initializer as ts.ArrayLiteralExpression).elements as ts.NodeArray<ts.StringLiteral>;
    return states.map((state) => `${name.getText()} --> ${state.text}`);
  });
}

describe('the state diagram', () => {
  const [diagram] = codeBlocks('docs/architecture.md').filter(({ language }) => language === 'mermaid');
  const arrows = [...diagram!.code.matchAll(/^\s*(\S+) --> (\S+?)(?::.*)?$/gm)].map(
    (match) => `${match[1]} --> ${match[2]}`,
  );

  it('draws exactly the transitions of the code', () => {
    const drawn = arrows.filter((arrow) => !arrow.includes('[*]'));

    expect(diagram!.code).toMatch(/^stateDiagram-v2\n/);
    expect(drawn.toSorted()).toEqual([...transitions()].toSorted());
  });

  it('begins and ends where tasks do', () => {
    const outer = arrows.filter((arrow) => arrow.includes('[*]'));

    expect(outer.toSorted()).toEqual(
      ['[*] --> ready', '[*] --> scheduled', 'completed --> [*]', 'discarded --> [*]'].toSorted(),
    );
  });
});

describe('what the page says of Redis', () => {
  it('agrees with the wire format', () => {
    const brief = tableUnder('docs/architecture.md', 'In Redis').rows.flatMap(({ key = '' }) => {
      const [first = '', ...others] = [...key.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
      return [first, ...others.map((other) => other.replace('…', 'taskq:{orders}'))];
    });
    const whole = tableUnder('docs/wire-format.md', 'Keys').rows.map(({ key = '' }) => code(key));

    expect(brief.toSorted()).toEqual(whole.toSorted());
  });
});

describe('the page', () => {
  it('names a file for every step of a task', () => {
    const { rows } = tables('docs/architecture.md').find(({ columns }) => columns.includes('step'))!;

    expect(rows).toHaveLength(8);
    for (const row of rows)
      expect(row['file'], `${row['step']}`).toMatch(/\]\(\.\.\/libs\/[\w/.-]+\.(ts|lua)\)/);
  });

  it('tells the services that run, at the intervals of the code', () => {
    const worker = ['task-worker', 'part-services']
      .map((file) => read(`libs/core/src/worker/${file}.ts`))
      .join('');
    const every = Object.fromEntries(
      tableUnder('docs/architecture.md', 'Beside the path').rows.map((row) => [
        /\[(\w+)\]/.exec(row['service']!)![1]!,
        row['every'],
      ]),
    );

    const started = [...worker.matchAll(/every\('(\w+)', ([^)]+)\)/g)].map((match): [string, string] => [
      match[1]!,
      match[2]!,
    ]);
    expect(Object.keys(every).toSorted()).toEqual(started.map(([name]) => name).toSorted());
    expect(Object.fromEntries(started)).toEqual({
      heartbeater: 'heartbeatMs',
      promoter: 'PROMOTE_EVERY_MS',
      reclaimer: 'leaseMs / 6',
      watch: 'leaseMs / 6',
      janitor: 'CLEAN_EVERY_MS',
    });
    expect(every).toMatchObject({
      promoter: '1 s, or when due',
      reclaimer: 'a sixth of a lease',
      watch: 'a sixth of a lease, or when one is over',
      janitor: '60 s',
    });
    expect(worker).toMatch(/PROMOTE_EVERY_MS = 1000;[\s\S]*CLEAN_EVERY_MS = 60_000;/);
  });
});
