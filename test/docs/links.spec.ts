import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documents, markdownFiles, proseLines, read, root, tables } from './markdown.js';

interface Link {
  readonly where: string;
  readonly from: string;
  readonly target: string;
}

function linksOf(document: string): readonly Link[] {
  return proseLines(document).flatMap(({ line, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({
      where: `${document}:${line}`,
      from: document,
      target: match[1]!,
    })),
  );
}

/** As GitHub makes them of headings. */
function anchorsOf(document: string): readonly string[] {
  return proseLines(document).flatMap(({ text }) => {
    const title = /^#+ (.*)$/.exec(text)?.[1];
    return title === undefined
      ? []
      : title
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .replaceAll(' ', '-');
  });
}

describe('links', () => {
  const links = markdownFiles().flatMap(linksOf);
  const inside = links.filter(({ target }) => !/^[a-z]+:/.test(target));

  it('lead to files and headings that exist', () => {
    const dead = inside.filter(({ from, target }) => {
      const [path = '', anchor] = target.split('#');
      const to = path === '' ? from : normalize(join(dirname(from), path));
      if (to.startsWith('..') || !existsSync(join(root, to))) return true;
      return anchor !== undefined && !anchorsOf(to).includes(anchor);
    });

    expect(inside.length).toBeGreaterThan(50);
    expect(dead.map(({ where, target }) => `${where} ${target}`)).toEqual([]);
  });

  it('lead to every document', () => {
    const reached = new Set(
      inside.map(({ from, target }) => normalize(join(dirname(from), target.split('#')[0]!))),
    );

    expect(documents().filter((document) => document !== 'README.md' && !reached.has(document))).toEqual([]);
  });

  it('to the web are few and use https', () => {
    const outside = links.filter(({ target }) => /^[a-z]+:/.test(target));

    expect(outside.filter(({ target }) => !target.startsWith('https://'))).toEqual([]);
  });
});

describe('guarantees', () => {
  it('each name the tests that prove them', () => {
    const sections = read('docs/guarantees.md').split(/^## /m).slice(1);
    const without = sections.filter(
      (section) => !/^Proved by:[\s\S]*\]\(\.\.\/test\/[\w/-]+\.spec\.ts\)/m.test(section),
    );

    expect(sections.length).toBeGreaterThan(10);
    expect(without.map((section) => section.split('\n')[0])).toEqual([]);
  });

  it('of the README each name what they depend on, and a test', () => {
    const { rows } = tables('README.md').find(({ columns }) => columns.includes('proved by'))!;

    expect(rows.length).toBeGreaterThan(5);
    for (const row of rows) {
      expect(row['depends on'], `${row['promise']}`).not.toBe('');
      expect(row['proved by'], `${row['promise']}`).toMatch(/\]\(test\/[\w/-]+\.spec\.ts\)$/);
    }
  });
});

describe('decisions', () => {
  const records = documents().filter((path) => /decisions\/\d/.test(path));

  it('are numbered without gap, and one page each', () => {
    expect(records.map((path) => Number(/(\d{4})-/.exec(path)![1]))).toEqual(records.map((_, i) => i + 1));
    for (const path of records)
      expect(read(path).split('\n').length, `lines of ${path}`).toBeLessThanOrEqual(70);
  });

  it.each(records)('%s has a context and a decision', (path) => {
    const text = read(path);

    expect(text).toMatch(/^# \d+\. /);
    expect(text).toMatch(/^## Context$/m);
    expect(text).toMatch(/^## Decision$/m);
  });

  it('on dependencies know every package that is declared, and no other', () => {
    const manifests = ['package.json', 'libs/core/package.json', 'libs/nestjs/package.json'];
    manifests.push('libs/testing/package.json', 'apps/sample/package.json');
    const declared = manifests.flatMap((path) => {
      const manifest = JSON.parse(read(path)) as Record<string, Record<string, string> | undefined>;
      return ['dependencies', 'devDependencies', 'peerDependencies'].flatMap((kind) =>
        Object.keys(manifest[kind] ?? {}),
      );
    });
    const known = tables('docs/decisions/0008-dependencies.md').flatMap(({ rows }) =>
      rows.flatMap((row) => [...row['package']!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)),
    );
    const expected = new Set(declared.filter((name) => !name.startsWith('@taskq/')));

    expect([...new Set(known)].toSorted()).toEqual([...expected].toSorted());
  });
});
