import { describe, expect, it } from 'vitest';
import type { Figure } from '../fault.js';
import type { Row } from '../laboratory.js';
import { documentOf } from './document.js';
import { figureText, largest } from './figures.js';

const machine = { cores: 2, memoryGiB: 24, platform: 'linux x64', node: 'v20.20.2', redis: '7.0.15' };
const row: Row = {
  fault: 'G1',
  title: 'a title',
  bound: 'lost 0',
  runs: 3,
  seed: 42,
  lost: 0,
  duplicates: 0,
  duplicateEffects: 0,
  recoveryMs: { p50: 0, p99: 0, max: 0 },
  counts: {},
  broken: [],
  tookMs: 1,
};
const slowest: Figure = { name: 'slowest command', value: 3.904, unit: 'ms', which: 'reclaim', bound: 5 };

describe('the document', () => {
  it('shows the figures of a row with their bounds, and how to repeat it', () => {
    const figures = [slowest, { name: 'memory', value: 1_000_000, unit: '' }];
    const text = documentOf({ rows: [{ ...row, figures, repeat: '--fault LOAD --full', machine }] });

    expect(text).toContain('| slowest command | 3.9 ms | 5 ms | reclaim |');
    expect(text).toContain('| memory | 1,000,000 |  |  |');
    expect(text).toContain('`npm run chaos -- --fault LOAD --full --seed 42`');
  });

  it('shows no figures where there are none', () => {
    const text = documentOf({ rows: [{ ...row, machine }] });

    expect(text).not.toContain('| figure |');
    expect(text).toContain('`npm run chaos -- --fault G1 --runs 3 --seed 42`');
  });
});

describe('defences that were taken away', () => {
  const removal = {
    name: 'a-lease-is-kept',
    defence: 'Without it a task runs twice.',
    file: 'libs/core/src/worker/heartbeater.ts',
    verdict: 'caught',
    said: 'a lease | <lives>',
  };

  it('are listed with the test that noticed, and how to repeat that', () => {
    const text = documentOf({
      rows: [{ ...row, fault: 'G27', command: 'npm run sabotage', removals: [removal], machine }],
    });

    expect(text).toContain(
      '| **a lease is kept** Without it a task runs twice. | heartbeater.ts | a lease \\| \\<lives> |',
    );
    expect(text).toContain('Repeat: `npm run sabotage`.');
  });

  it('are told apart where no test noticed', () => {
    const removals = [{ ...removal, verdict: 'missed', said: '7 tests' }];

    expect(documentOf({ rows: [{ ...row, removals, machine }] })).toContain('| missed: 7 tests |');
  });
});

describe('figures', () => {
  it('of several runs are the largest of each name', () => {
    const faster = { ...slowest, value: 2, which: 'enqueue' };

    expect(largest([faster, slowest, { ...faster, name: 'other' }])).toEqual([
      slowest,
      { ...faster, name: 'other' },
    ]);
  });

  it('in words say what it was', () => {
    expect(figureText(slowest)).toBe('slowest command 3.9 ms (reclaim)');
    expect(figureText({ name: 'commands', value: 0, unit: '' })).toBe('commands 0');
  });
});
