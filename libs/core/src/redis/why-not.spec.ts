import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { WhyNot } from './why-not.js';

/** A link that is not made, and what was said of it on the way. */
function link(...said: readonly Error[]): { whyNot: WhyNot; made: () => void } {
  const events = new EventEmitter();
  const whyNot = new WhyNot(events as unknown as Redis, { name: 'orders' });
  for (const error of said) events.emit('error', error);
  return { whyNot, made: () => events.emit('ready') };
}

const answer = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });
const socket = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });
const CLOSED = new Error('Connection is closed.');
const UNSENT = new Error("Stream isn't writeable and enableOfflineQueue options is false");

describe('WhyNot', () => {
  it('knows nothing at first, nor when the link was made after all', () => {
    const { whyNot, made } = link();
    expect(whyNot).toMatchObject({ known: false, hopeless: false, told: { why: 'no answer' } });

    const later = link(socket('ECONNREFUSED'));
    expect(later.whyNot.known).toBe(true);
    later.made();
    made();
    for (const one of [whyNot, later.whyNot]) expect(one.known).toBe(false);
  });

  it.each([
    ['the socket', socket('ECONNREFUSED'), 'ECONNREFUSED'],
    ['the server', answer('ERR DB index is out of range'), 'ERR DB index is out of range'],
  ])('says what %s said, not what the client says of both afterwards', (_, error, why) => {
    expect(link(error, CLOSED, UNSENT).whyNot.told.why).toBe(why);
  });

  it('says what was said last by either', () => {
    expect(link(socket('ECONNREFUSED'), answer('ERR no')).whyNot.told.why).toBe('ERR no');
    expect(link(answer('ERR no'), socket('ECONNRESET')).whyNot.told.why).toBe('ECONNRESET');
  });

  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'redis.password'],
    ['NOAUTH Authentication required.', 'redis.password'],
    ['ERR AUTH <password> called without any password configured', 'redis.password'],
    ["NOPERM this user has no permissions to run the 'select' command", 'permissions'],
    ['ERR DB index is out of range', 'redis.db'],
    ['ERR SELECT is not allowed in cluster mode', 'redis.cluster'],
  ])('gives up at once where no other try helps, and says what does: %s', (message, fix) => {
    expect(link(answer(message)).whyNot.told).toEqual({
      why: message,
      hopeless: true,
      fix: expect.stringContaining(fix) as string,
    });
  });

  it.each([socket('ECONNREFUSED'), answer('LOADING Redis is loading'), answer('ERR max number of clients')])(
    'does not give up where one may: %s',
    (error) => {
      expect(link(error).whyNot.told).toMatchObject({ hopeless: false, fix: undefined });
    },
  );
});
