import { ConfigurationError, durationMs, type EngineOptions, resolveEngineOptions } from '@taskq/core';
import { code, codes, tableUnder } from './markdown.js';

export const DOCUMENT = 'docs/configuration.md';
export const ENGINE = 'Engine options';
export const MODULE = 'Module options';
export const CONTRACT = 'Contract options';
export const ENQUEUE = 'Enqueue options';
export const SAMPLE = 'Settings of the sample application';

/** An option as a table has it. */
export interface Documented {
  readonly path: string;
  /** The cell of the default: code, or words. */
  readonly fallback: string;
  readonly bounds: string;
}

export function optionsUnder(heading: string): readonly Documented[] {
  return tableUnder(DOCUMENT, heading).rows.map((row) => ({
    path: code(row['option']!),
    fallback: row['default']!,
    bounds: row['bounds'] ?? '',
  }));
}

/** Values that must be accepted and values that must be refused: just inside and just outside of the bounds. */
export interface Probe {
  readonly inside: readonly unknown[];
  readonly outside: readonly unknown[];
}

export const NAMES = {
  inside: ['a', 'A-z_0.9', 'x'.repeat(64)],
  outside: ['', 'a b', 'a:b', 'x'.repeat(65), 7],
};
export const LONG_TEXT = { inside: ['k', 'k'.repeat(512)], outside: ['', 'k'.repeat(513), 7] };
export const headers = (count: number, size: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`.padEnd(8), 'x'.repeat(size - 8)]));

const listOfAddresses = (most: number): Probe => ({
  inside: [['h'], ['h:1', '[::1]:2', '10.0.0.1'], Array.from({ length: most }, (_, i) => `h${i}:1`)],
  outside: [[], Array.from({ length: most + 1 }, (_, i) => `h${i}:1`), ['redis://h'], ['h', 7], 'h:1', {}],
});

/** Bounds that are words. */
export const WORDS: Readonly<Record<string, Probe>> = {
  'a name': NAMES,
  'a name of up to 48 characters': { inside: ['w', 'w'.repeat(48)], outside: ['', 'w'.repeat(49), 'w w'] },
  'a Redis URL or a socket path': {
    inside: ['redis://h', 'rediss://u:p@h:1/2', '/run/redis.sock'],
    outside: ['http://h', 'h:1', 'redis://', 7],
  },
  'an address': { inside: ['h', 'h:1', '/run/redis.sock'], outside: ['', 'redis://h', 7] },
  'a list of 1 to 16 addresses': listOfAddresses(16),
  'a list of 1 to 64 addresses': listOfAddresses(64),
  'up to 128 characters without spaces': {
    inside: ['orders', 'x'.repeat(128)],
    outside: ['', 'x'.repeat(129), 'a b', 7],
  },
  "`'accepted'`, `'durable'`, `{ replicated: 1 to 16 }`": {
    inside: ['accepted', 'durable', { replicated: 1 }, { replicated: 16 }],
    outside: [
      ...[{ replicated: 0 }, { replicated: 17 }, { replicated: 1.5 }, { replicated: 1, more: 1 }],
      ...[{}, [1], 'replicated', 7, null],
    ],
  },
  'text of up to 4096 characters': { inside: ['', 'x'.repeat(4096)], outside: ['x'.repeat(4097), 7] },
  text: { inside: ['x'], outside: [7] },
  'an object': { inside: [{}], outside: ['x', 7] },
  'a function': { inside: [() => 1], outside: ['x', 7] },
  'a list of texts': { inside: [['a', 'b']], outside: ['a', [7]] },
  'a time': { inside: [0, Date.now(), new Date()], outside: [-1, 1.5, '2030-01-01', new Date('no')] },
  '1 to 512 characters': LONG_TEXT,
  '`true` or 1 to 512 characters': {
    inside: [true, ...LONG_TEXT.inside],
    outside: [false, ...LONG_TEXT.outside],
  },
  '64 texts, 8192 characters in all': {
    inside: [headers(64, 128)],
    outside: [headers(65, 10), headers(64, 129), { a: 1 }],
  },
};

/** A value written in the document: a number, a duration in quotes, a word. */
export function valueOf(text: string): unknown {
  return JSON.parse(text.replaceAll("'", '"')) as unknown;
}

export function probe({ path, bounds }: Documented): Probe {
  const words = WORDS[bounds];
  if (words) return words;
  const range = /^`([^`]+)` to `([^`]+)`$/.exec(bounds);
  if (!range) {
    const choices = codes(bounds).map(valueOf);
    if (choices.length < 2) throw new Error(`the bounds of ${path} cannot be tested: ${bounds}`);
    return { inside: choices, outside: ['something else', 7] };
  }
  const [min, max] = [durationMs(valueOf(range[1]!))!, durationMs(valueOf(range[2]!))!];
  const step = path.endsWith('factor') ? 0.001 : 1;
  return { inside: [valueOf(range[1]!), valueOf(range[2]!)], outside: [min - step, max + step, 'x'] };
}

/** `{ a: { b: value } }` for `a.b`. */
export function treeOf(path: string, value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = path.split('.');
  return { [first]: rest.length === 0 ? value : treeOf(rest.join('.'), value) };
}

/** The value at `a.b` of what was resolved, where durations are called `bMs`. */
export function resolvedAt(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => {
    const members = node as Record<string, unknown>;
    return Object.hasOwn(members, key) ? members[key] : members[`${key}Ms`];
  }, tree);
}

/** What the default of a table is once it is resolved. */
export function resolvedDefault(fallback: string): unknown {
  // The consumer's name is made when the worker is.
  if (fallback === 'none' || fallback === 'host and process') return undefined;
  const value = valueOf(code(fallback));
  return typeof value === 'string' ? (durationMs(value) ?? value) : value;
}

export function problemsOf(attempt: () => unknown): readonly string[] {
  try {
    attempt();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

/** The names that a group of options knows, as it lists them to whoever gives one that is far from all of them. */
export const STRANGER = 'q'.repeat(40);
export function known(problems: readonly string[]): readonly string[] {
  const list = problems.map((problem) => /\(known: ([^)]+)\)/.exec(problem)?.[1]).find((found) => found);
  if (list === undefined) throw new Error(`no list of options in: ${problems.join('; ')}`);
  return list.split(', ').toSorted();
}

/** Names that the document has directly under a group: `a` and `b` of `g.a` and `g.b.c` for `g`. */
export function namesUnder(options: readonly Documented[], group: string): readonly string[] {
  const prefix = group === '' ? '' : `${group}.`;
  const below = options
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path }) => path.slice(prefix.length));
  return [...new Set(below.map((path) => path.split('.')[0]!))].toSorted();
}

/** Groups that the document has options in: '' and `g` of `g.a`. */
export function groupsOf(options: readonly Documented[]): readonly string[] {
  const above = options.flatMap(({ path }) => {
    const levels = path.split('.');
    return levels.map((_, i) => levels.slice(0, i).join('.'));
  });
  return [...new Set(above)];
}

export function resolve(path: string, value: unknown) {
  const tree = treeOf(path, value) as EngineOptions;
  // What is said about Sentinels is refused where there are none.
  const beside = path.startsWith('redis.sentinel') && { redis: { sentinels: ['s'], ...tree.redis } };
  return resolveEngineOptions({ ...tree, ...beside });
}
