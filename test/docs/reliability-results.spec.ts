import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DOCUMENT, documentOf, RECORD, type ReliabilityRecord } from '../chaos/report/document.js';
import { proseLines } from './markdown.js';

const record = JSON.parse(readFileSync(RECORD, 'utf8')) as ReliabilityRecord;

describe('the reliability results', () => {
  it('are what the record says', () => {
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(documentOf(record));
  });

  it('have no row of which a promise was broken', () => {
    expect(record.rows.filter((row) => row.broken.length > 0)).toEqual([]);
  });
});

describe('every promise', () => {
  const lines = proseLines('docs/guarantees.md').map(({ text }) => text);
  const titles = lines.filter((text) => text.startsWith('## ')).map((text) => text.slice(3));
  const sectionOf = (title: string): string => {
    const from = lines.indexOf(`## ${title}`);
    const length = lines.slice(from + 1).findIndex((text) => text.startsWith('## '));
    return lines.slice(from, length < 0 ? undefined : from + 1 + length).join('\n');
  };

  it.each(titles)('says what it depends on and what proves it: %s', (title) => {
    const section = sectionOf(title);

    expect(section).toMatch(/\bDepends on\b/);
    const proofs = /^Proved by: ([^]*)$/m.exec(section)?.[1] ?? '';
    expect([...proofs.matchAll(/\]\(([^)]+)\)/g)].length).toBeGreaterThan(0);
  });

  it('that a fault can break names the row of that fault', () => {
    const shown = new Set(
      [...lines.join('\n').matchAll(/reliability-results\.md#([a-z0-9-]+)/g)].map((m) => m[1]),
    );

    expect(record.rows.map((row) => row.fault.toLowerCase()).filter((row) => !shown.has(row))).toEqual([]);
    expect(existsSync(DOCUMENT)).toBe(true);
  });
});
