import { describe, expect, it } from 'vitest';
import { LossAnnouncer, type LossFinding } from './loss-announcer.js';
import { TaskEvents } from './task-events.js';

/** What is announced, in a few words: the event, which loss, how, and who found out. */
function stage() {
  const told: string[] = [];
  const events = new TaskEvents();
  for (const name of ['data.lost', 'data.lost.more'] as const)
    events.on(name, ({ loss, how, seenBy }) => told.push(`${name} ${loss} ${how} ${seenBy}`));
  const clock = {
    now: 1000,
    monotonicMs: () => clock.now,
    wallMs: () => clock.now,
    after: () => () => undefined,
  };
  const announcer = new LossAnnouncer(events, clock);
  const found = (knownAt: number, over: Partial<LossFinding> = {}): void =>
    announcer.found({
      queue: 'orders',
      how: 'rolled-back',
      seenBy: 'producer',
      ranges: [],
      reoffered: 0,
      forgotten: 0,
      knownAt,
      ...over,
    });
  return { told, events, clock, announcer, found };
}

describe('LossAnnouncer', () => {
  it('announces a loss that several find once, and to the others adds', () => {
    const { told, clock, announcer, found } = stage();
    announcer.reconnected();
    clock.now = 1001;
    found(900);
    clock.now = 1002;
    found(700);
    clock.now = 5000;
    found(999, { seenBy: 'connection', how: 'replaced' });

    expect(told).toEqual([
      'data.lost 1 rolled-back producer',
      'data.lost.more 1 rolled-back producer',
      'data.lost.more 1 replaced connection',
    ]);
  });

  it('announces another loss where something was there after the last was found', () => {
    const { told, clock, announcer, found } = stage();
    announcer.reconnected();
    found(900);
    clock.now = 2000;
    announcer.reconnected();
    found(1000);
    found(999);
    clock.now = 3000;
    found(1999);

    expect(told.map((words) => words.split(' ').slice(0, 2).join(' '))).toEqual([
      'data.lost 1',
      'data.lost 2',
      'data.lost.more 2',
      'data.lost.more 2',
    ]);
  });

  it('keeps queues apart, each has losses of its own', () => {
    const { told, announcer, found } = stage();
    announcer.reconnected();
    found(900);
    found(900, { queue: 'mail' });

    expect(told).toEqual(['data.lost 1 rolled-back producer', 'data.lost 2 rolled-back producer']);
  });

  it('calls deleted what was there while the connection lasted, whoever misses it', () => {
    const { told, clock, announcer, found } = stage();
    found(900, { how: 'replaced' });
    announcer.reconnected();
    clock.now = 2000;
    found(1999, { seenBy: 'connection', how: 'replaced' });
    found(1000);
    found(999.9);

    expect(told).toEqual([
      'data.lost 1 deleted producer',
      'data.lost 2 deleted connection',
      'data.lost.more 2 deleted producer',
      'data.lost.more 2 rolled-back producer',
    ]);
  });

  it('says everything else as it was found', () => {
    const { events, announcer, found } = stage();
    announcer.reconnected();
    const heard: object[] = [];
    events.on('data.lost', (fact) => heard.push(fact));
    const ranges = [{ of: 'groups', after: 'p-0/1', upTo: 'p-0/3' }] as const;
    found(900, { ranges, reoffered: 2, forgotten: 1 });

    expect(heard).toEqual([
      {
        loss: 1,
        queue: 'orders',
        how: 'rolled-back',
        seenBy: 'producer',
        ranges,
        reoffered: 2,
        forgotten: 1,
      },
    ]);
  });
});
