import { describe, expect, it } from 'vitest';
import { BrokerTimeoutError, RedisUnusableError } from '../contract/errors.js';
import { dataSetAnswer, enqueueReply, ensureAnswer, resolvedAnswers } from './replies.js';

describe('enqueueReply', () => {
  it('has an answer for each task that a word stands for', () => {
    expect(enqueueReply('a2 dFIRST.1 cOTHER.2 a1 f3')).toEqual({
      answers: [
        { status: 'accepted' },
        { status: 'accepted' },
        { status: 'duplicate', id: 'FIRST.1' },
        { status: 'conflict', id: 'OTHER.2' },
        { status: 'accepted' },
        { status: 'full' },
        { status: 'full' },
        { status: 'full' },
      ],
      lostAfter: undefined,
    });
  });

  it.each([
    ['!4 a1', 4, 1],
    ['!0 a2', 0, 2],
    ['!12 ', 12, 0],
    ['', undefined, 0],
  ])('of "%s" says what was lost, beside the answers', (text, lostAfter, count) => {
    const reply = enqueueReply(text);

    expect(reply.lostAfter).toBe(lostAfter);
    expect(reply.answers).toEqual(Array.from({ length: count }, () => ({ status: 'accepted' })));
  });

  it('takes no id for a mark: none begins with one', () => {
    expect(enqueueReply('d!4 a1')).toEqual({
      answers: [{ status: 'duplicate', id: '!4' }, { status: 'accepted' }],
      lostAfter: undefined,
    });
  });
});

describe('a group that came too late', () => {
  it.each(['late', '-'])('is refused: "%s"', (text) => {
    expect(() => enqueueReply(text)).toThrow(BrokerTimeoutError);
    expect(() => enqueueReply(text)).toThrow(/after a later one, or after it was given up/);
  });

  it('is nothing where it was asked about, unless a later one was applied', () => {
    expect(resolvedAnswers('-')).toBeUndefined();
    expect(() => resolvedAnswers('late')).toThrow(BrokerTimeoutError);
    expect(resolvedAnswers('a1 f1')).toEqual([{ status: 'accepted' }, { status: 'full' }]);
    expect(resolvedAnswers('!2 a1')).toEqual([{ status: 'accepted' }]);
    expect(resolvedAnswers('')).toEqual([]);
  });
});

describe('ensureAnswer', () => {
  it('has how many groups were made, and which data this is', () => {
    expect(ensureAnswer('orders', [4, 'epoch1234567'])).toMatchObject({ made: 4, epoch: 'epoch1234567' });
    expect(ensureAnswer('orders', [0, 'epoch1234567'])).toMatchObject({ made: 0 });
  });

  it('refuses keys that hold something else, all in one sentence', () => {
    const wrong = [-1, 'p:{orders}:tasks', 'string', 'stream', 'p:{orders}:control', 'list', 'hash'];
    const refuse = () => ensureAnswer('orders', wrong);

    expect(refuse).toThrow(RedisUnusableError);
    expect(refuse).toThrow(
      'queue "orders" cannot be used: p:{orders}:tasks holds a string, not a stream; ' +
        'p:{orders}:control holds a list, not a hash',
    );
  });
});

describe('dataSetAnswer', () => {
  it('has the name and the last entry of each lane', () => {
    expect(dataSetAnswer(['epoch1234567', '3-0', '2-0', '0-0'])).toEqual({
      epoch: 'epoch1234567',
      last: { high: '3-0', normal: '2-0', low: '0-0' },
    });
  });
});
