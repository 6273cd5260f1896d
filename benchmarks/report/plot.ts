/** A part of a bar; parts of one bar stand behind each other. */
export interface BarPart {
  readonly name: string;
  readonly value: number;
}

/** A bar: whose it is, and its parts. */
export interface Bar {
  readonly label: string;
  readonly parts: readonly BarPart[];
  /** What stands behind it. */
  readonly text: string;
}

/** Bars that belong together, under one title; each group has a scale of its own if the plot says so. */
export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Plot {
  readonly title: string;
  readonly groups: readonly BarGroup[];
  /** A colour per bar label, or per name of a part where bars have several. */
  readonly colors: Readonly<Record<string, string>>;
  /** Names that the colours are explained for. */
  readonly legend: readonly string[];
}

const SIZE = {
  width: 760,
  margin: 16,
  label: 120,
  text: 130,
  bar: 16,
  gap: 5,
  groupTitle: 26,
  groupGap: 14,
  title: 34,
  legend: 24,
};
/** Between black and white, and far enough from both to be read on either. */
const INK = '#767676';
/** Where the reader's browser says that the ground is dark. */
const DARK_INK = '#a3abb5';
const OTHER = '#8c959f';

/**
 * Groups of horizontal bars as SVG. Each group has a scale of its own: rates of cases differ by more than those of
 * contenders. Text is text, in whatever font the reader has, and stands on light and on dark.
 */
export function barsSvg(plot: Plot): string {
  const { title, groups, legend } = plot;
  const parts: string[] = [textAt(SIZE.margin, 22, title, 'start', 'class="title"')];
  let y = SIZE.title;
  if (legend.length > 0) {
    parts.push(...legendAt(y, plot));
    y += SIZE.legend;
  }
  for (const group of groups) {
    parts.push(textAt(SIZE.margin, y + 17, group.title, 'start', 'class="group"'));
    y += SIZE.groupTitle;
    for (const bar of group.bars) {
      parts.push(...barAt(y, bar, longest(group), plot.colors));
      y += SIZE.bar + SIZE.gap;
    }
    y += SIZE.groupGap;
  }
  const height = Math.ceil(y);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE.width}" height="${height}" viewBox="0 0 ${SIZE.width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>text{font:12px sans-serif;fill:${INK}}.title{font-size:15px;font-weight:600}.group{font-weight:600}@media(prefers-color-scheme:dark){text{fill:${DARK_INK}}}</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function longest({ bars }: BarGroup): number {
  return Math.max(0, ...bars.map(total)) || 1;
}

function total({ parts }: Bar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function barAt(y: number, bar: Bar, most: number, colors: Plot['colors']): string[] {
  const from = SIZE.margin + SIZE.label;
  const room = SIZE.width - from - SIZE.text - SIZE.margin;
  const baseline = y + SIZE.bar - 4;
  let x = from;
  const rects = bar.parts.map(({ name, value }) => {
    const width = (value / most) * room;
    const rect = `<rect x="${short(x)}" y="${y}" width="${short(width)}" height="${SIZE.bar}" fill="${colors[name] ?? OTHER}"/>`;
    x += width;
    return rect;
  });
  return [
    textAt(from - 8, baseline, bar.label, 'end'),
    ...rects,
    textAt(Math.round(x) + 6, baseline, bar.text, 'start'),
  ];
}

function legendAt(y: number, { legend, colors }: Plot): string[] {
  let x = SIZE.margin;
  return legend.flatMap((name) => {
    const at = x;
    // Wide enough for any font: nobody measures text here.
    x += 34 + name.length * 8;
    return [
      `<rect x="${at}" y="${y}" width="12" height="12" fill="${colors[name] ?? OTHER}"/>`,
      textAt(at + 18, y + 10, name, 'start'),
    ];
  });
}

function textAt(x: number, y: number, text: string, anchor: 'start' | 'end', more = ''): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more && ` ${more}`}>${escaped(text)}</text>`;
}

function short(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
