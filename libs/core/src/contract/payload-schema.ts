import type { PayloadIssue } from './errors.js';

/**
 * The part of Standard Schema (https://standardschema.dev, version 1) that taskq uses: zod, valibot, arktype and
 * others implement it. Declared here so that no validator is a dependency.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a Standard Schema answers. */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A class whose instances are payloads, checked by decorators such as class-validator's. */
export type PayloadClass<T extends object = object> = abstract new (...args: never[]) => T;

/** What a contract may carry to describe its payload. */
export type PayloadSchema = StandardSchema<unknown, unknown> | PayloadClass;

/** A payload that passed its schema, as the schema made it, or every issue found; `cause` is what was thrown, if any. */
export type ParsedPayload =
  { ok: true; value: unknown } | { ok: false; issues: readonly PayloadIssue[]; cause?: unknown };

/** Checks and transforms one payload. May answer at once or later; a schema that cannot wait answers at once. */
export type PayloadParser = (value: unknown) => ParsedPayload | Promise<ParsedPayload>;

/** Makes a parser for payload classes. The engine knows none itself; `@taskq/nestjs` brings class-validator. */
export type PayloadClassParser = (payloadClass: PayloadClass) => PayloadParser;

/** Whether `value` implements Standard Schema. Some implementations are functions, so both kinds are looked at. */
export function isStandardSchema(value: unknown): value is StandardSchema<unknown, unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard = (value as Record<string, unknown>)['~standard'];
  return typeof standard === 'object' && standard !== null && 'validate' in standard;
}

/** The parser of a Standard Schema. */
export function standardParser(schema: StandardSchema<unknown, unknown>): PayloadParser {
  return (value) => {
    const result = schema['~standard'].validate(value);
    return result instanceof Promise ? result.then(fromStandard) : fromStandard(result);
  };
}

function fromStandard(result: StandardResult<unknown>): ParsedPayload {
  if (!result.issues) return { ok: true, value: result.value };
  return {
    ok: false,
    issues: result.issues.map((issue) => ({ path: pathText(issue.path ?? []), message: issue.message })),
  };
}

function pathText(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return path.reduce<string>((text, step) => {
    const key = typeof step === 'object' ? step.key : step;
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
