import { describe, expect, it } from 'vitest';
import { type EnqueueOptions, resolveEnqueueOptions } from '../policy/task-options.js';
import { newTask } from './new-task.js';

const PAYLOAD = { amount: 5 };

/** The task of a call in a version of the payload. */
function taskOf(version: number, options: EnqueueOptions = {}) {
  const call = resolveEnqueueOptions('pay', options);
  const json = JSON.stringify(PAYLOAD);
  return newTask({ type: 'pay', version, payload: PAYLOAD, json, priority: 'normal', call }, () => 'p.1');
}

describe('the version of a payload', () => {
  it('is written where it is above 1, beside what else travels', () => {
    expect(taskOf(1).meta).toBe('');
    expect(JSON.parse(taskOf(1, { maxAttempts: 2 }).meta)).toEqual({ maxAttempts: 2 });
    expect(taskOf(2).meta).toBe('{"version":2}');
    expect(JSON.parse(taskOf(1000, { maxAttempts: 2, deduplicate: 'k' }).meta)).toEqual({
      version: 1000,
      maxAttempts: 2,
      unique: { key: expect.any(String) as string, ttlMs: 86_400_000 },
    });
  });

  it('is part of what makes two payloads equal, for both kinds of keys', () => {
    const fingerprints = [1, 2].map((version) => taskOf(version, { idempotencyKey: 'k' }).idempotency);
    const unique = [1, 2].map((version) => taskOf(version, { deduplicate: true }).unique);
    const named = [1, 2].map((version) => taskOf(version, { deduplicate: 'k' }).unique);

    expect(fingerprints[0]!.key).toBe(fingerprints[1]!.key);
    expect(fingerprints[0]!.fingerprint).not.toBe(fingerprints[1]!.fingerprint);
    expect(unique[0]!.key).not.toBe(unique[1]!.key);
    expect(named[0]).toEqual(named[1]);
  });
});
