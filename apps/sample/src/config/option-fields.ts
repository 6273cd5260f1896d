import { durationMs, formatDuration, type OptionField } from '@taskq/core';

/** The lower and the upper bound of a setting, both allowed. */
interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A whole number between two bounds. */
export function integer({ min, max }: Bounds, fallback: number): OptionField<number> {
  const read = (value: unknown): number | undefined =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : undefined;
  return field(read, `a whole number of ${min} to ${max}`, fallback);
}

/** A length of time between two bounds, in milliseconds. */
export function duration({ min, max }: Bounds, fallback: number): OptionField<number> {
  const read = (value: unknown): number | undefined => {
    const ms = durationMs(value);
    return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
  };
  return field(
    read,
    `a duration of ${formatDuration(min)} to ${formatDuration(max)} (such as "30s")`,
    fallback,
  );
}

/** Text that is not empty. */
export function text<Fallback extends string | undefined>(
  fallback: Fallback,
): OptionField<string | Fallback> {
  return field<string | Fallback>((value) => (isText(value) ? value : undefined), 'text', fallback);
}

/** A list of texts. */
export function texts(fallback: readonly string[]): OptionField<readonly string[]> {
  const read = (value: unknown): string[] | undefined =>
    Array.isArray(value) && value.every(isText) ? value : undefined;
  return field(read, 'a list of texts', fallback);
}

/** Reads a setting that was written, if it can be read. */
function field<T>(read: (value: unknown) => T | undefined, says: string, fallback: T): OptionField<T> {
  return (value, path, problems) => {
    if (value === undefined || value === null) return fallback;
    const setting = read(value);
    if (setting !== undefined) return setting;
    problems.push(`${path} must be ${says}, not ${show(value)}`);
    return fallback;
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a group';
  return String(value);
}
