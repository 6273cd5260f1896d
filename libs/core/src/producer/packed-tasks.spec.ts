import { describe, expect, it } from 'vitest';
import type { NewTask } from '../broker/broker.js';
import { PackedTasks } from './packed-tasks.js';

const task = (n: number, over: Partial<NewTask> = {}): NewTask => ({
  id: `abcdefghijkl.${n}`,
  type: 'mail.send',
  payload: `{"n":${n}}`,
  meta: '',
  lane: 'normal',
  ...over,
});

describe('tasks that were packed', () => {
  it.each([
    ['none', []],
    ['one', [task(1)]],
    [
      'plain ones',
      [task(1), task(2, { meta: '{"headers":{"a":"ž"}}', lane: 'high' }), task(3, { payload: '' })],
    ],
    [
      'others among them',
      [
        task(1, { due: { afterMs: 5 } }),
        task(2),
        task(3, { id: 'mine', ownId: true }),
        task(4, { unique: { key: 'u', ttlMs: 1 } }),
        task(5, { idempotency: { key: 'i', fingerprint: 'f', windowMs: 1 } }),
        task(6),
      ],
    ],
    [
      'newlines',
      [task(1, { payload: 'a\n\nb\n' }), task(2), task(3, { meta: '\n' }), task(4, { id: 'a\nb' })],
    ],
  ])('are what they were: %s', (_, tasks) => {
    expect(new PackedTasks(tasks).unpack()).toEqual(tasks);
  });
});
