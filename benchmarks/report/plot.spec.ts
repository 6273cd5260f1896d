import { describe, expect, it } from 'vitest';
import { barsSvg } from './plot.js';

const plot = {
  title: 'A & B',
  legend: ['Node', 'Redis'],
  colors: { Node: '#111111', Redis: '#222222' },
  groups: [
    {
      title: 'process-100',
      bars: [
        {
          label: 'taskq',
          parts: [
            { name: 'Node', value: 2 },
            { name: 'Redis', value: 1 },
          ],
          text: '2 + 1 µs',
        },
        { label: 'bullmq', parts: [{ name: 'Node', value: 6 }], text: '<6 µs' },
      ],
    },
  ],
};

function widths(svg: string): readonly number[] {
  return [...svg.matchAll(/width="([\d.]+)" height="16"/g)].map((match) => Number(match[1]));
}

describe('a plot', () => {
  const svg = barsSvg(plot);

  it('draws the parts of a bar in proportion, the longest bar to the end', () => {
    const [node, redis, longest] = widths(svg);
    expect(node! / redis!).toBeCloseTo(2, 1);
    expect(longest! / node!).toBeCloseTo(3, 1);
    expect(widths(svg)).toHaveLength(3);
  });

  it('has its words as text, escaped', () => {
    expect(svg).toContain('A &amp; B</text>');
    expect(svg).toContain('&lt;6 µs</text>');
    expect(svg).toContain('>process-100</text>');
    expect(svg).not.toMatch(/font-face|href|@import/);
  });

  it('explains its colours', () => {
    expect([...svg.matchAll(/height="12" fill="(#\d+)"/g)].map((match) => match[1])).toEqual([
      '#111111',
      '#222222',
    ]);
  });

  it('of values that are all zero has bars without length', () => {
    const none = {
      ...plot.groups[0]!,
      bars: [{ label: 'a', parts: [{ name: 'Node', value: 0 }], text: '0' }],
    };
    expect(widths(barsSvg({ ...plot, groups: [none] }))).toEqual([0]);
  });
});
