import type { PayloadIssue } from './errors.js';

/** Bounds of a payload. */
export interface PayloadLimits {
  /** Bytes of its JSON text. */
  readonly maxBytes: number;
  /** Nesting of objects and arrays. */
  readonly maxDepth: number;
}

/** Bytes that one unit of a JavaScript string takes in UTF-8 at most. */
const MOST_BYTES_PER_UNIT = 3;

/** Both words are rare in text, so the walk that looks for them as keys is too. `\u` may spell either. */
const SUSPICIOUS = /__proto__|constructor|\\u/;

/** Text or value of a payload, or what is wrong with it. */
export type Checked<T> = { ok: true; value: T } | { ok: false; issue: PayloadIssue };

/** Keys that reach an object's prototype when merged carelessly. */
const POISONED = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * JSON text of a payload, or the path of the first thing that JSON would change or drop in silence: `undefined`,
 * functions, symbols, BigInt, NaN, infinities, Map, Set, binary data, cycles, `__proto__` keys. Dates and other
 * objects with a `toJSON` travel as what it returns.
 */
export function encodePayload(payload: unknown, limits: PayloadLimits): Checked<string> {
  if (!isOrdinary(payload, limits.maxDepth)) {
    const plain = new Walk(limits.maxDepth).check(payload, '', 0);
    if (plain) return { ok: false, issue: plain };
  }
  const text = JSON.stringify(payload);
  if (text.length * MOST_BYTES_PER_UNIT <= limits.maxBytes) return { ok: true, value: text };
  const bytes = text.length > limits.maxBytes ? text.length : Buffer.byteLength(text);
  if (bytes > limits.maxBytes) return tooLarge(bytes, limits);
  return { ok: true, value: text };
}

/**
 * Whether a value is what nearly all payloads are: texts, numbers, lists and plain objects, no deeper than `levels`, with
 * nothing that JSON would change. Says no where it is not sure; then the walk finds out what is wrong, if anything is.
 */
function isOrdinary(value: unknown, levels: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      return value === null || (levels > 0 && !('toJSON' in value) && hasOrdinaryContents(value, levels - 1));
    default:
      return false;
  }
}

function hasOrdinaryContents(value: object, levels: number): boolean {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) if (!isOrdinary(value[i], levels)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (POISONED.has(key) || !isOrdinary((value as Record<string, unknown>)[key], levels)) return false;
  }
  return true;
}

/**
 * Value of stored JSON text. Size and depth are checked before parsing, since somebody else may have written it:
 * a deep text would overflow the stack of whatever prints it later, a wide one would block the event loop.
 */
export function decodePayload(text: string, limits: PayloadLimits): Checked<unknown> {
  // Most texts are so short that they can be neither too large nor too deep: a level takes two brackets.
  if (text.length * MOST_BYTES_PER_UNIT > limits.maxBytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.maxBytes) return tooLarge(bytes, limits);
  }
  if (text.length > limits.maxDepth * 2 && depthExceeds(text, limits.maxDepth)) {
    return wrong('', `is nested deeper than ${limits.maxDepth}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return wrong('', 'is not JSON');
  }
  if (SUSPICIOUS.test(text)) {
    const poisoned = poisonedPath(value, '');
    if (poisoned !== undefined) return wrong(poisoned, 'is a key that is not allowed');
  }
  return { ok: true, value };
}

/** Objects that JSON turns into `{}` without a word. */
const OPAQUE = [Map, Set, WeakMap, WeakSet, Promise, RegExp, Error, ArrayBuffer] as const;

class Walk {
  private readonly seen: object[] = [];

  constructor(private readonly maxDepth: number) {}

  check(value: unknown, path: string, depth: number): PayloadIssue | undefined {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return undefined;
      case 'number':
        return Number.isFinite(value) ? undefined : { path, message: `is ${value}, which JSON cannot hold` };
      case 'object':
        return value === null ? undefined : this.checkObject(value, path, depth);
      case 'undefined':
        return { path, message: 'is undefined, which JSON drops' };
      default:
        return { path, message: `is a ${typeof value}, which JSON cannot hold` };
    }
  }

  private checkObject(value: object, path: string, depth: number): PayloadIssue | undefined {
    if (this.seen.includes(value)) return { path, message: 'is part of a cycle' };
    // A Buffer has a toJSON, but what that makes of it is many times as large.
    if (ArrayBuffer.isView(value)) return unfit(value, path);
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
      return this.checkConverted(value as { toJSON(key: string): unknown }, path, depth);
    }
    return this.checkContents(value, path, depth);
  }

  /** What travels is what `toJSON` returns. */
  private checkConverted(
    value: { toJSON(key: string): unknown },
    path: string,
    depth: number,
  ): PayloadIssue | undefined {
    if (value instanceof Date && Number.isNaN(value.getTime()))
      return { path, message: 'is an invalid date' };
    const converted = value.toJSON('');
    return converted === value ? this.checkContents(value, path, depth) : this.check(converted, path, depth);
  }

  private checkContents(value: object, path: string, depth: number): PayloadIssue | undefined {
    if (depth >= this.maxDepth) return { path, message: `is nested deeper than ${this.maxDepth}` };
    if (OPAQUE.some((type) => value instanceof type)) return unfit(value, path);
    this.seen.push(value);
    const issue = Array.isArray(value)
      ? this.checkItems(value, path, depth)
      : this.checkMembers(value as Record<string, unknown>, path, depth);
    this.seen.pop();
    return issue;
  }

  private checkItems(items: readonly unknown[], path: string, depth: number): PayloadIssue | undefined {
    for (let i = 0; i < items.length; i += 1) {
      const issue = this.check(items[i], `${path}[${i}]`, depth + 1);
      if (issue) return issue;
    }
    return undefined;
  }

  private checkMembers(
    value: Record<string, unknown>,
    path: string,
    depth: number,
  ): PayloadIssue | undefined {
    for (const key of Object.keys(value)) {
      const at = path === '' ? key : `${path}.${key}`;
      const member = value[key];
      if (key === 'toJSON' && typeof member === 'function') continue;
      if (reachesPrototype(key, member)) return { path: at, message: 'is a key that is not allowed' };
      const issue = this.check(member, at, depth + 1);
      if (issue) return issue;
    }
    return undefined;
  }
}

function unfit(value: object, path: string): PayloadIssue {
  return { path, message: `is a ${value.constructor.name}, which JSON cannot hold` };
}

/** Whether brackets in the text, outside strings, nest deeper than `limit`. One pass, no recursion. */
function depthExceeds(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i += 1;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (char === 0x5d || char === 0x7d) depth -= 1;
  }
  return false;
}

function poisonedPath(value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const key of Object.keys(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    const member = (value as Record<string, unknown>)[key];
    if (reachesPrototype(key, member)) return at;
    const below = poisonedPath(member, at);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** `constructor` is a fair name for data (cars have one); it is dangerous only as a way to a prototype. */
function reachesPrototype(key: string, member: unknown): boolean {
  if (key === '__proto__') return true;
  if (key !== 'constructor' || typeof member !== 'object' || member === null) return false;
  return Object.keys(member).some((inner) => POISONED.has(inner));
}

function wrong(path: string, message: string): { ok: false; issue: PayloadIssue } {
  return { ok: false, issue: { path, message } };
}

function tooLarge(bytes: number, limits: PayloadLimits): { ok: false; issue: PayloadIssue } {
  return wrong('', `has at least ${bytes} bytes of JSON, more than ${limits.maxBytes}`);
}
