import { describe, expect, it } from 'vitest';
import { BrokerError } from '../contract/errors.js';
import type { DataLoss } from '../contract/data-loss.js';
import type { Calls } from './calls.js';
import { DataWatch } from './data-watch.js';
import { queueKeys } from './keys.js';
import type { ReconnectListener } from './links.js';

type Answer = readonly [epoch: string, high: string, normal: string, low: string];

/** A watch over one queue, on a Redis whose answers the test gives. */
function watched() {
  const asked: { answer: (answer: Answer) => void; fail: (error: Error) => void }[] = [];
  let reconnected: ReconnectListener = () => undefined;
  const calls = {
    links: { onReconnect: (listener: ReconnectListener) => (reconnected = listener) },
    run: () => new Promise((answer, fail) => asked.push({ answer, fail })),
  } as unknown as Calls;
  const watch = new DataWatch(calls, (queue) => queueKeys('p', queue));
  const losses: DataLoss[] = [];
  watch.onLoss((loss) => losses.push(loss));
  const saw = (...entryIds: string[]): void =>
    watch.saw(
      'q',
      'normal',
      entryIds.map((id) => [id, []]),
    );
  /** Answers the next question, as soon as it is asked. */
  const answer = async (given: Answer | Error): Promise<void> => {
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    const question = asked.shift()!;
    if (given instanceof Error) question.fail(given);
    else question.answer(given);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const reconnect = (): void => reconnected('commands', 10, 10);
  watch.named('q', 'e1');
  return { watch, losses, saw, answer, reconnect, asked };
}

const NONE = '0-0';

describe('DataWatch', () => {
  it('finds nothing when everything is there, and more', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('5-0');
    reconnect();
    await answer(['e1', NONE, '6-0', NONE]);

    expect(losses).toEqual([]);
  });

  it('finds out that there is less, and says from where to where', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('5-0', '9-3');
    reconnect();
    await answer(['e1', NONE, '5-0', NONE]);

    expect(losses).toEqual([
      {
        queue: 'q',
        how: 'rolled-back',
        ranges: [{ of: 'normal', after: '5-0', upTo: '9-3' }],
        seenAgoMs: expect.any(Number) as number,
      },
    ]);
  });

  it('finds out that it is other data, or none', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('5-0');
    reconnect();
    await answer(['', NONE, NONE, NONE]);

    expect(losses).toMatchObject([{ how: 'replaced', ranges: [{ after: NONE, upTo: '5-0' }] }]);
  });

  it('misses all that it has seen when it is other data, however far that goes by now', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('5-0');
    reconnect();
    await answer(['e2', NONE, '7-0', NONE]);
    expect(losses).toMatchObject([{ how: 'replaced', ranges: [{ of: 'normal', after: NONE, upTo: '5-0' }] }]);

    reconnect();
    await answer(['e2', NONE, '7-0', NONE]);
    expect(losses).toHaveLength(1);
  });

  it('takes nothing for lost that came while the answer was on its way', async () => {
    const { losses, saw, answer, reconnect, asked } = watched();
    saw('5-0');
    reconnect();
    await expect.poll(() => asked.length).toBe(1);
    saw('7-0');
    await answer(['e1', NONE, '5-0', NONE]);
    expect(losses).toEqual([]);

    // And remembers it: the next time it counts.
    reconnect();
    await answer(['e1', NONE, '6-0', NONE]);
    expect(losses).toMatchObject([{ ranges: [{ after: '6-0', upTo: '7-0' }] }]);
  });

  it('tells of a loss once, however many links are back', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('9-0');
    for (let i = 0; i < 3; i += 1) reconnect();
    for (let i = 0; i < 3; i += 1) await answer(['e1', NONE, '5-0', NONE]);

    expect(losses).toHaveLength(1);
  });

  it('asks again when nobody answers at first, as right after a failover', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('9-0');
    reconnect();
    await answer(new BrokerError('CLUSTERDOWN', 'the cluster is down', { retryable: true }));
    await answer(new BrokerError('UNAVAILABLE', 'not connected', { retryable: true }));
    await answer(['e1', NONE, '5-0', NONE]);

    expect(losses).toHaveLength(1);
  });

  it('says how long ago what is gone was there, whatever was seen while it asked again', async () => {
    const { losses, saw, answer, reconnect } = watched();
    saw('9-0');
    await new Promise((resolve) => setTimeout(resolve, 30));
    reconnect();
    await answer(new BrokerError('UNAVAILABLE', 'not connected', { retryable: true }));
    saw('10-0');
    await answer(['e2', NONE, '10-0', NONE]);

    expect(losses).toMatchObject([{ how: 'replaced', ranges: [{ upTo: '9-0' }] }]);
    expect(losses[0]!.seenAgoMs).toBeGreaterThanOrEqual(75);

    // What is gone the next time was there after that.
    const told = performance.now();
    reconnect();
    await answer(['e3', NONE, NONE, NONE]);
    expect(losses[1]!.seenAgoMs).toBeLessThanOrEqual(performance.now() - told + 50);
  });

  it('asks no more when everything is closed', async () => {
    const { answer, reconnect, asked } = watched();
    reconnect();
    await answer(new BrokerError('CLOSED', 'the broker is closed'));
    await new Promise((resolve) => setTimeout(resolve, 120));

    expect(asked).toEqual([]);
  });
});
