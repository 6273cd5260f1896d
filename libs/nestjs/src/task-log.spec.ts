import { TaskEvents } from '@taskq/core';
import { describe, expect, it } from 'vitest';
import type { NestLoggerAdapter } from './nest-logger.adapter.js';
import { logTasks } from './task-log.js';

function listening() {
  const lines: string[] = [];
  const stacks: (string | undefined)[] = [];
  const logger = {
    info: (message: string) => void lines.push(`info ${message}`),
    warn: (message: string) => void lines.push(`warn ${message}`),
    error: (message: string, stack?: string) => {
      lines.push(`error ${message}`);
      stacks.push(stack);
    },
  };
  const events = new TaskEvents();
  logTasks(events, logger as unknown as NestLoggerAdapter);
  return { lines, stacks, events };
}

const task = { queue: 'q', type: 't', id: '1', attempt: 2 };

describe('logTasks', () => {
  it('says what failed and what follows, in one bounded line', () => {
    const { lines, events } = listening();
    events.emit('task.retrying', {
      ...task,
      runMs: 1,
      delayMs: 1500,
      error: new Error(`a\n${'b'.repeat(600)}`),
    });
    expect(lines).toEqual([
      expect.stringMatching(
        /^warn task "t" 1 in "q", attempt 2, failed: Error: a b+…; next attempt in 1\.5 s$/,
      ),
    ]);
  });

  it('never shows a thrown value that is no error: it may be the payload', () => {
    const { lines, stacks, events } = listening();
    const dead = { ...task, reason: 'attempts-exhausted', detail: 'attempt 2 of 2 failed' } as const;
    events.emit('task.dead', { ...dead, error: { secret: true } });
    events.emit('task.dead', { ...dead, error: new Error('x') });
    expect(lines).toEqual([
      'error task "t" 1 in "q", attempt 2, is dead (attempts-exhausted: attempt 2 of 2 failed): thrown object',
      'error task "t" 1 in "q", attempt 2, is dead (attempts-exhausted: attempt 2 of 2 failed): Error: x',
    ]);
    expect(stacks).toEqual([undefined, expect.stringContaining('task-log.spec')]);
  });

  it('says once that a type has no handler', () => {
    const { lines, events } = listening();
    const unhandled = { ...task, delayMs: 1, version: 1, handlerVersion: undefined };
    for (const id of ['1', '2']) events.emit('task.unhandled', { ...unhandled, id });
    events.emit('task.unhandled', { ...unhandled, type: 'u' });
    expect(lines).toEqual([
      expect.stringContaining('warn no handler for tasks "t" of queue "q"'),
      expect.stringContaining('warn no handler for tasks "u" of queue "q"'),
    ]);
  });

  it('says once per version that a handler is of a lower one', () => {
    const { lines, events } = listening();
    for (const version of [2, 2, 3]) {
      events.emit('task.unhandled', { ...task, delayMs: 1, version, handlerVersion: 1 });
    }
    expect(lines).toEqual([
      expect.stringContaining('warn tasks "t" of queue "q" have version 2, their handler in this process 1;'),
      expect.stringContaining('warn tasks "t" of queue "q" have version 3, their handler in this process 1;'),
    ]);
  });

  it('says what happens to queues and connection', () => {
    const { lines, events } = listening();
    events.emit('task.malformed', { queue: 'q', entryId: '1-0', detail: 'no type' });
    events.emit('task.stuck', { ...task, runMs: 61_000 });
    events.emit('task.unproven', { ...task, silentMs: 13_500 });
    events.emit('task.stale', { ...task, what: 'outcome' });
    events.emit('queue.recreated', { queue: 'q' });
    events.emit('broker.reconnected', { link: 'commands' });
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'error',
      'error',
      'warn',
      'warn',
      'warn',
      'info',
    ]);
    expect(lines[2]).toContain('its lease was not renewed for 13.5 s');
  });

  it('says what Redis lost, where, and what became of it', () => {
    const { lines, events } = listening();
    const ranges = [{ of: 'normal', after: '5-0', upTo: '9-0' }] as const;
    const loss = { loss: 1, queue: 'q', how: 'rolled-back', seenBy: 'connection', ranges } as const;
    events.emit('data.lost', { ...loss, reoffered: 0, forgotten: 0 });
    events.emit('data.lost.more', { ...loss, how: 'replaced', ranges: [], reoffered: 3, forgotten: 1 });
    events.emit('data.reoffered', { queue: 'q', accepted: 2, present: 1, failed: 0 });
    events.emit('data.reoffered', { queue: 'q', accepted: 2, present: 0, failed: 1 });

    expect(lines).toEqual([
      expect.stringMatching(
        /^error Redis lost data of queue "q": the newest is gone \(normal after 5-0 up to 9-0\)/,
      ),
      expect.stringMatching(/^warn more is missing in queue "q": it is other data; 3 tasks .* 1 groups/),
      expect.stringMatching(
        /^info tasks offered again to queue "q": 2 had been lost, 1 were there, 0 failed$/,
      ),
      expect.stringMatching(/^error tasks offered again .* 1 failed$/),
    ]);
  });
});
