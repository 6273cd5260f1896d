import { describe, expect, it } from 'vitest';
import { SeenCommand } from './command.js';
import { Outstanding } from './outstanding.js';

/** Says of each reply which command it answers; '' for those that answer none. */
function answers(commands: readonly string[], replies: readonly string[]): string[] {
  const outstanding = new Outstanding<{ command: SeenCommand; text: string }>();
  for (const text of commands) {
    const words = text.split(' ').map((word) => Buffer.from(word));
    outstanding.add({ text, command: new SeenCommand(Buffer.from(text), words, '', 1, new Map()) });
  }
  return replies.map((reply) => outstanding.answeredBy(Buffer.from(reply))?.text ?? '');
}

/** `*3\r\n$7\r\nmessage…`: something said about a channel, as an array (RESP2) or as a push message (RESP3). */
function said(type: '*' | '>', word: string, channel = 'c'): string {
  return `${type}3\r\n$${word.length}\r\n${word}\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`;
}

describe('replies', () => {
  it('answer commands in order, of whatever kind they are', () => {
    expect(
      answers(['GET a', 'MGET a', 'XADD s', 'PING'], ['$-1\r\n', said('*', 'message'), '-ERR\r\n', '_\r\n']),
    ).toEqual(['GET a', 'MGET a', 'XADD s', 'PING']);
  });

  it('answer nothing when nothing was asked', () => {
    expect(answers(['PING'], ['+PONG\r\n', '-ERR max number of clients reached\r\n'])).toEqual(['PING', '']);
  });
});

describe('push messages', () => {
  it('answer no command, whatever they are about', () => {
    const pushes = ['message', 'pmessage', 'smessage', 'invalidate', 'subscribe', 'sunsubscribe'];
    const replies = pushes.flatMap((word) => [said('>', word), '+OK\r\n']);

    expect(
      answers(
        pushes.map((word) => `SET ${word}`),
        replies,
      ),
    ).toEqual(pushes.flatMap((word) => ['', `SET ${word}`]));
  });
});

describe.each(['*', '>'] as const)('a subscription that is confirmed by %s', (type) => {
  it('is answered by its last channel, and messages between belong to nobody', () => {
    expect(
      answers(
        ['SUBSCRIBE a b c', 'PING', 'UNSUBSCRIBE a b', 'PING'],
        [
          said(type, 'subscribe', 'a'),
          said(type, 'message', 'a'),
          said(type, 'subscribe', 'b'),
          said(type, 'subscribe', 'c'),
          said(type, 'pmessage', 'c'),
          '*2\r\n$4\r\npong\r\n$0\r\n\r\n',
          said(type, 'unsubscribe', 'a'),
          said(type, 'unsubscribe', 'b'),
        ],
      ),
    ).toEqual(['', '', '', 'SUBSCRIBE a b c', '', 'PING', '', 'UNSUBSCRIBE a b']);
  });

  it('counts its channels anew each time', () => {
    expect(
      answers(
        ['SUBSCRIBE a b', 'PSUBSCRIBE c d', 'GET x'],
        [
          said(type, 'subscribe'),
          said(type, 'subscribe'),
          said(type, 'psubscribe'),
          said(type, 'psubscribe'),
          '$-1\r\n',
        ],
      ),
    ).toEqual(['', 'SUBSCRIBE a b', '', 'PSUBSCRIBE c d', 'GET x']);
  });

  it('may fail', () => {
    expect(answers(['SUBSCRIBE a b', 'PING'], ['-NOPERM no\r\n', '+PONG\r\n'])).toEqual([
      'SUBSCRIBE a b',
      'PING',
    ]);
  });
});
