import type { KnownLoss, WorkerStatus } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import { type HealthFacts, judgeHealth } from './health-verdict.js';

type QueueStatus = WorkerStatus['queues'][number];

function worker(over: Partial<WorkerStatus> = {}): WorkerStatus {
  return { state: 'running', consumer: 'w', queues: [slots('a', 0)], lastProgressMs: 0, ...over };
}

function slots(queue: string, stuck: number): QueueStatus {
  return { queue, slots: 2, active: 2, stuck };
}

function loss(queue: string): KnownLoss {
  const fact = {
    loss: 1,
    how: 'replaced',
    seenBy: 'producer',
    ranges: [],
    reoffered: 0,
    forgotten: 0,
  } as const;
  return { ...fact, queue, at: 0 };
}

function judge(over: Partial<HealthFacts> = {}) {
  const { state, reasons } = judgeHealth({
    shouldWork: true,
    worker: worker(),
    blockMs: 2000,
    late: [],
    losses: [],
    unfit: [],
    failOnDataLoss: false,
    ...over,
  });
  return [state, ...reasons];
}

describe('judgeHealth', () => {
  it('is content with a worker that runs, and with a process that is to do nothing', () => {
    expect(judge()).toEqual(['up']);
    expect(judge({ shouldWork: false, worker: undefined })).toEqual(['up']);
    expect(judge({ worker: worker({ lastProgressMs: 6000, queues: [slots('a', 1)] }) })).toEqual(['up']);
  });

  it.each([
    ['is not there', undefined, 'the worker is not there'],
    ['stops', worker({ state: 'quiet' }), 'the worker is quiet'],
    ['does not read', worker({ lastProgressMs: 6001 }), 'the worker has not read for 6001 ms'],
    [
      'has no slot that will ever be free',
      worker({ queues: [slots('a', 2), slots('b', 2)] }),
      'every slot is taken by a handler that did not end when it was told to; only a restart frees them',
    ],
  ])('calls a process down whose worker %s', (_, of, reason) => {
    expect(judge({ worker: of })).toEqual(['down', reason]);
  });

  it('calls one degraded that works on in some of its queues only', () => {
    expect(judge({ worker: worker({ queues: [slots('a', 2), slots('b', 1), slots('c', 2)] }) })).toEqual([
      'degraded',
      'every slot of "a", "c" is taken by a handler that did not end',
    ]);
  });

  it('calls a backlog degraded, and data that was lost, unless it is told to fail then; it says all that is wrong', () => {
    const losses = [loss('a'), loss('b')];
    expect(judge({ losses })).toEqual(['degraded', 'data was lost in "a", "b"']);
    expect(judge({ losses, failOnDataLoss: true })).toEqual(['down', 'data was lost in "a", "b"']);
    expect(judge({ failOnDataLoss: true })).toEqual(['up']);
    expect(judge({ late: ['a'], losses, unfit: ['Redis at h:1: it evicts'] })).toEqual([
      'degraded',
      'tasks wait too long in "a"',
      'data was lost in "a", "b"',
      'Redis at h:1: it evicts',
    ]);
  });
});
