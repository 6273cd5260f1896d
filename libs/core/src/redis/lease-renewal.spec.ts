import { expect, it } from 'vitest';
import type { BoardedLease } from '../broker/lease-guard.js';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { LeaseRenewal } from './lease-renewal.js';

function leases(queue: string, count: number): BoardedLease[] {
  return Array.from({ length: count }, (_, n) => ({ queue, lane: 'normal', entryId: `${n}-0`, delivery: 1 }));
}

/** Renews with calls of which those for one queue fail; answers for which queues others were made, in order. */
async function renewed(held: readonly BoardedLease[], gone: string): Promise<readonly string[]> {
  const calls: string[] = [];
  const run = (_role: unknown, queue: string): Promise<unknown> => {
    if (queue === gone) return Promise.reject(new Error(`${gone} is gone`));
    calls.push(queue);
    return Promise.resolve([]);
  };
  const data = { options: resolveEngineOptions({}), consumer: 'w' };
  const renewal = new LeaseRenewal(data, { run });
  await expect(renewal.renew(held)).rejects.toThrow(`${gone} is gone`);
  return calls;
}

it('renews what it can when a queue cannot be reached, and says so', async () => {
  expect(await renewed([...leases('gone', 1), ...leases('a', 1), ...leases('b', 150)], 'gone')).toEqual(
    expect.arrayContaining(['a', 'b', 'b']),
  );
});
