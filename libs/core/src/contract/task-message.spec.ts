import { describe, expect, it } from 'vitest';
import { MalformedTaskError } from './errors.js';
import {
  type AttemptRecord,
  decodeMessage,
  encodeMeta,
  type TaskMeta,
  versionOf,
  withAttempt,
} from './task-message.js';

const entry = (over: Record<string, string> = {}): string[] =>
  Object.entries({
    id: 'i1',
    type: 'email.send',
    payload: '{"a":1}',
    attempt: '2',
    enqueuedAt: '1700000000000',
    meta: '',
    ...over,
  }).flat();

const FULL: TaskMeta = {
  version: 2,
  headers: { traceparent: '00-1-1-01', empty: '' },
  maxAttempts: 3,
  timeoutMs: 5000,
  backoff: { baseMs: 0, factor: 1.5, maxMs: 10 },
  starts: 4,
  history: [{ attempt: 1, at: 5, worker: 'w', error: { name: 'Error', message: 'no', stack: 'at x' } }],
  unique: { key: 'uabc', ttlMs: 1000 },
  noHandlerSince: 0,
  replays: 2,
};

describe('decodeMessage', () => {
  it('reads every field', () => {
    expect(decodeMessage(entry({ meta: JSON.stringify(FULL) }), '5-1')).toEqual({
      id: 'i1',
      type: 'email.send',
      payload: '{"a":1}',
      attempt: 2,
      enqueuedAt: 1_700_000_000_000,
      meta: FULL,
    });
  });

  it('reads an entry of type and payload alone, as any language writes it', () => {
    expect(decodeMessage(['payload', '{}', 'type', 'a'], '5-1')).toEqual({
      id: '5-1',
      type: 'a',
      payload: '{}',
      attempt: 1,
      enqueuedAt: undefined,
      meta: {},
    });
  });

  it('ignores fields it does not know, those of a later version', () => {
    expect(decodeMessage(entry({ v: '9', __proto__x: '1' }), '5-1').id).toBe('i1');
    expect(decodeMessage([...entry(), '__proto__', 'x', 'constructor', 'y'], '5-1').type).toBe('email.send');
  });

  it('does not parse the payload: that is judged where it is handled', () => {
    expect(decodeMessage(entry({ payload: 'not json' }), '5-1').payload).toBe('not json');
  });

  it.each(['type', 'payload'])('refuses an entry without %s', (name) => {
    const fields = entry();
    const at = fields.indexOf(name);
    fields.splice(at, 2);

    expect(() => decodeMessage(fields, '5-1')).toThrow(MalformedTaskError);
    expect(() => decodeMessage(fields, '5-1')).toThrow(`"${name}"`);
    expect(() => decodeMessage([], '5-1')).toThrow(MalformedTaskError);
  });

  const wrong: [string, string][] = [
    ['type', ''],
    ['type', 'a b'],
    ['type', 'a\n'],
    ['type', 'x'.repeat(65)],
    ['id', ''],
    ['id', 'a:b'],
    ['id', 'x'.repeat(65)],
    ['attempt', '0'],
    ['attempt', ''],
    ['attempt', '-1'],
    ['attempt', '1.5'],
    ['attempt', '1e3'],
    ['attempt', ' 1'],
    ['attempt', '0x10'],
    ['attempt', 'NaN'],
    ['attempt', '9'.repeat(16)],
    ['enqueuedAt', 'yesterday'],
    ['enqueuedAt', '-5'],
    ['enqueuedAt', '1.5'],
    ['enqueuedAt', '9'.repeat(17)],
    ['meta', '{'],
    ['meta', 'null'],
    ['meta', '[]'],
    ['meta', '"x"'],
    ['meta', '5'],
  ];
  it.each(wrong)('refuses %s %j and names the field', (name, value) => {
    const decode = () => decodeMessage(entry({ [name]: value }), '5-1');

    expect(decode).toThrow(MalformedTaskError);
    expect(decode).toThrow(`"${name}`);
  });

  const wrongMeta: [keyof TaskMeta, unknown][] = [
    ['version', 0],
    ['version', -2],
    ['version', 1.5],
    ['version', '2'],
    ['version', null],
    ['version', 1e300],
    ['headers', 5],
    ['headers', null],
    ['headers', ['a']],
    ['headers', { a: 5 }],
    ['headers', { a: null }],
    ['maxAttempts', 0],
    ['maxAttempts', 1.5],
    ['maxAttempts', '3'],
    ['maxAttempts', -1],
    ['timeoutMs', 0],
    ['timeoutMs', 1e300],
    ['timeoutMs', null],
    ['backoff', {}],
    ['backoff', { baseMs: -1, factor: 2, maxMs: 5 }],
    ['backoff', { baseMs: 1, factor: '2', maxMs: 5 }],
    ['backoff', { baseMs: 1, factor: 2 }],
    ['starts', -1],
    ['starts', '4'],
    ['starts', 2 ** 60],
    ['history', {}],
    ['history', [null]],
    ['history', [{ attempt: 'x', error: {} }]],
    ['history', [{ attempt: 1 }]],
    ['history', [{ attempt: 1, error: 'no' }]],
    ['unique', 'key'],
    ['unique', { key: 5, ttlMs: 1 }],
    ['unique', { key: 'k' }],
    ['unique', { key: 'k', ttlMs: -1 }],
    ['noHandlerSince', 'x'],
    ['noHandlerSince', -1],
    ['replays', 0.5],
  ];
  it.each(wrongMeta)('refuses meta.%s of %j and names it', (name, value) => {
    const decode = () => decodeMessage(entry({ meta: JSON.stringify({ [name]: value }) }), '5-1');

    expect(decode).toThrow(MalformedTaskError);
    expect(decode).toThrow(`"meta.${name}"`);
  });

  it('keeps members of meta that a later version wrote', () => {
    const meta = '{"later":{"x":1},"starts":1}';

    expect(decodeMessage(entry({ meta }), '5-1').meta).toEqual({ later: { x: 1 }, starts: 1 });
  });

  it('refuses a meta that is too long, unread', () => {
    const meta = JSON.stringify({ headers: { a: 'x'.repeat(200_000) } });

    expect(() => decodeMessage(entry({ meta }), '5-1')).toThrow(/longer than/);
  });

  it('never shows a payload or a header in what it throws', () => {
    const canary = 'canary-4711';
    const entries = [
      entry({ payload: canary, type: 'a b' }),
      entry({ payload: canary, meta: `{"headers":{"x":"${canary}"},"starts":-1}` }),
      entry({ payload: canary, meta: `{"x":"${canary}` }),
    ];
    for (const fields of entries) {
      expect(() => decodeMessage(fields, '5-1')).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(canary) }),
      );
    }
  });

  it('takes an odd list of fields for what it says', () => {
    expect(decodeMessage([...entry(), 'lonely'], '5-1').id).toBe('i1');
  });
});

describe('versionOf', () => {
  it('is the first where nothing is said, as in every entry that was written before there were versions', () => {
    expect(versionOf(decodeMessage(['payload', '{}', 'type', 'a'], '5-1').meta)).toBe(1);
    expect(versionOf(decodeMessage(entry({ meta: '{"version":1}' }), '5-1').meta)).toBe(1);
    expect(versionOf(decodeMessage(entry({ meta: '{"version":7}' }), '5-1').meta)).toBe(7);
  });
});

describe('encodeMeta', () => {
  it('writes what decodeMessage reads back', () => {
    expect(decodeMessage(entry({ meta: encodeMeta(FULL) }), '5-1').meta).toEqual(FULL);
  });

  it('writes nothing for nothing', () => {
    expect(encodeMeta({})).toBe('');
    expect(encodeMeta({ headers: undefined, starts: undefined })).toBe('');
    expect(encodeMeta({ starts: 0 })).toBe('{"starts":0}');
  });

  it('never holds a newline, which parts the fields of a waiting task', () => {
    expect(encodeMeta({ headers: { 'a\nb': 'c\nd\r\u2028' } })).not.toMatch(/[\n\r]/);
  });
});

describe('withAttempt', () => {
  const attempt = (n: number): AttemptRecord => ({
    attempt: n,
    at: n,
    worker: 'w',
    error: { name: 'E', message: `${n}` },
  });

  it('starts a history and adds to it without changing it', () => {
    const first = withAttempt(undefined, attempt(1));
    const second = withAttempt(first, attempt(2));

    expect(first).toEqual([attempt(1)]);
    expect(second).toEqual([attempt(1), attempt(2)]);
  });

  it('keeps the first attempt and the last nineteen', () => {
    let history: readonly AttemptRecord[] | undefined;
    for (let n = 1; n <= 50; n += 1) history = withAttempt(history, attempt(n));

    expect(history!.map((record) => record.attempt)).toEqual([
      1,
      ...Array.from({ length: 19 }, (_, i) => 32 + i),
    ]);
  });
});
