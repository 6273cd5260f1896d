import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { misfits, type Removal, without } from './removal.js';

const removal: Removal = {
  name: 'a-law',
  defence: 'Without it something goes wrong.',
  file: 'src/code.ts',
  take: 'if (wrong) return;\n',
  witnesses: ['src/code.spec.ts'],
};

describe('a text without its defence', () => {
  it('is the rest, or has less in its place, taken literally', () => {
    expect(without(removal, 'a();\nif (wrong) return;\nb();\n')).toBe('a();\nb();\n');
    expect(without({ ...removal, by: '$&$1\n' }, 'if (wrong) return;\n')).toBe('$&$1\n');
  });

  it.each([
    ['gone', 'a();\n', '0 times'],
    ['there twice', 'if (wrong) return;\nif (wrong) return;\n', '2 times'],
  ])('is none when the defence is %s', (_, text, times) => {
    expect(() => without(removal, text)).toThrow(`a-law: the text to take away stands ${times}`);
  });
});

describe('what does not fit', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'taskq-removal-'));
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'src/code.ts'), 'if (wrong) return;\n');
    writeFileSync(join(root, 'src/code.spec.ts'), '');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('is nothing where text and tests are there', () => {
    expect(misfits([removal], root)).toEqual([]);
  });

  it('is said of all of them at once: text, file, test and name', () => {
    const others: Removal[] = [
      { ...removal, name: 'b', take: 'x' },
      { ...removal, name: 'c', file: 'src/gone.ts' },
      { ...removal, name: 'd', witnesses: ['src/gone.spec.ts'] },
      removal,
    ];

    expect(misfits([removal, ...others], root)).toEqual([
      'b: the text to take away stands 0 times in src/code.ts, not once',
      'c: there is no src/gone.ts',
      'd: there is no src/gone.spec.ts',
      'a-law: there are two of that name',
    ]);
  });
});
