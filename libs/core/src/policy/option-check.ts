import { durationMs, formatDuration } from '../contract/duration.js';
import { ConfigurationError } from '../contract/errors.js';

/** Reads one option as written; reports what is wrong with it at `path` and answers its resolved value. */
export type OptionField<T> = (value: unknown, path: string, problems: string[]) => T;

/** One field per option; no option without a field. */
export type OptionFields<T> = { readonly [K in keyof T]-?: OptionField<T[K]> };

/**
 * Resolves options as written: defaults filled in, units made plain, every wrong field reported at once.
 * @throws ConfigurationError with a line per wrong or unknown option, naming its bound or the likely intention
 */
export function resolveOptions<T>(subject: string, written: unknown, fields: OptionFields<T>): T {
  const problems: string[] = [];
  const resolved = group(fields)(written, '', problems);
  if (problems.length > 0) throw new ConfigurationError(subject, problems);
  return resolved;
}

/** A group of options. Absent means every default. */
export function group<T>(fields: OptionFields<T>): OptionField<T> {
  return (value, path, problems) => {
    const written = value ?? {};
    if (typeof written !== 'object' || Array.isArray(written)) {
      problems.push(`${path || 'options'} must be an object, not ${kindOf(value)}`);
      return group(fields)({}, path, []);
    }
    for (const key of Object.keys(written)) {
      if (!Object.hasOwn(fields, key))
        problems.push(unknownOption(join(path, key), key, Object.keys(fields)));
    }
    const resolved: Partial<T> = {};
    for (const key of Object.keys(fields) as (keyof T & string)[]) {
      resolved[key] = fields[key]((written as Record<string, unknown>)[key], join(path, key), problems);
    }
    return resolved as T;
  };
}

/** A length of time between two bounds, in milliseconds once resolved. */
export function duration(bounds: { min: number; max: number }, fallback: number): OptionField<number> {
  return (value, path, problems) => {
    if (value === undefined) return fallback;
    const ms = durationMs(value);
    if (ms !== undefined && ms >= bounds.min && ms <= bounds.max) return ms;
    const range = `${formatDuration(bounds.min)} to ${formatDuration(bounds.max)}`;
    problems.push(`${path} must be a duration of ${range} (such as "30s" or 500), not ${show(value)}`);
    return fallback;
  };
}

/** A whole number between two bounds. */
export function integer(bounds: { min: number; max: number }, fallback: number): OptionField<number> {
  return (value, path, problems) => {
    if (value === undefined) return fallback;
    if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) {
      return value as number;
    }
    problems.push(`${path} must be a whole number of ${bounds.min} to ${bounds.max}, not ${show(value)}`);
    return fallback;
  };
}

/** A number between two bounds. */
export function decimal(bounds: { min: number; max: number }, fallback: number): OptionField<number> {
  return (value, path, problems) => {
    if (value === undefined) return fallback;
    if (typeof value === 'number' && value >= bounds.min && value <= bounds.max) return value;
    problems.push(`${path} must be a number of ${bounds.min} to ${bounds.max}, not ${show(value)}`);
    return fallback;
  };
}

/** One of several words. */
export function oneOf<const Choice extends string | boolean>(
  choices: readonly Choice[],
  fallback: NoInfer<Choice>,
): OptionField<Choice> {
  return (value, path, problems) => {
    if (value === undefined) return fallback;
    if (choices.includes(value as Choice)) return value as Choice;
    problems.push(`${path} must be one of ${choices.map(show).join(', ')}, not ${show(value)}`);
    return fallback;
  };
}

/** What text must be. */
export interface TextRule {
  readonly fits: (value: string) => boolean;
  readonly says: string;
}

/** Text that passes a test. */
export function text<Fallback extends string | undefined>(
  rule: TextRule,
  fallback: Fallback,
): OptionField<string | Fallback> {
  return (value, path, problems) => {
    if (value === undefined) return fallback;
    if (typeof value === 'string' && rule.fits(value)) return value;
    problems.push(`${path} must be ${rule.says}, not ${show(value)}`);
    return fallback;
  };
}

/** Like {@link text}, for what may hold a secret: the value is never shown. */
export function hiddenText<Fallback extends string | undefined>(
  rule: TextRule,
  fallback: Fallback,
): OptionField<string | Fallback> {
  const field = text(rule, fallback);
  return (value, path, problems) => {
    const found: string[] = [];
    const resolved = field(value, path, found);
    if (found.length > 0) problems.push(`${path} must be ${rule.says}`);
    return resolved;
  };
}

/** A list of 1 to `most` entries, or absent. */
export function listOf<T>(field: OptionField<T>, most: number): OptionField<readonly T[] | undefined> {
  return (value, path, problems) => {
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0 || value.length > most) {
      problems.push(`${path} must be a list of 1 to ${most} entries`);
      return undefined;
    }
    return value.map((entry, i) => field(entry, `${path}[${i}]`, problems));
  };
}

/** Like `field`, or absent. */
export function optional<T>(field: OptionField<T>): OptionField<T | undefined> {
  return (value, path, problems) => (value === undefined ? undefined : field(value, path, problems));
}

/** A value that is passed on as it is when it passes a test. */
export function passed<T>(says: string, fits: (value: unknown) => boolean): OptionField<T | undefined> {
  return (value, path, problems) => {
    if (value !== undefined && !fits(value)) problems.push(`${path} must be ${says}, not ${show(value)}`);
    return value as T | undefined;
  };
}

/** Unknown option, with the known one that was probably meant. */
function unknownOption(path: string, key: string, known: readonly string[]): string {
  const [closest] = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  const likely =
    closest && closest.distance <= Math.max(2, key.length / 3) ? `, did you mean "${closest.name}"?` : '';
  return `unknown option "${path}"${likely || ` (known: ${known.join(', ')})`}`;
}

/** Levenshtein distance: insertions, deletions and replacements that make one word the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** What a value is, without saying what it holds. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
