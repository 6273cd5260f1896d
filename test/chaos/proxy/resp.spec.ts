import { describe, expect, it } from 'vitest';
import { chunked, mulberry32 } from './chance.js';
import { commandWords, errorReply, firstWord, FrameCutter, RespError } from './resp.js';

/** One reply of each kind that Redis can give. */
const REPLIES = {
  'simple string': '+OK\r\n',
  'empty simple string': '+\r\n',
  error: '-ERR unknown command\r\n',
  integer: ':-42\r\n',
  bulk: '$5\r\nhello\r\n',
  'empty bulk': '$0\r\n\r\n',
  'bulk of line ends': '$8\r\n\r\n\r\n$3\r\n\r\n',
  'bulk beyond ASCII': '$6\r\n✓é2\r\n',
  'RESP2 null bulk': '$-1\r\n',
  'RESP2 null array': '*-1\r\n',
  'empty array': '*0\r\n',
  array: '*3\r\n:1\r\n$3\r\nfoo\r\n+bar\r\n',
  'nested array': '*2\r\n*2\r\n$1\r\na\r\n*1\r\n*0\r\n*-1\r\n',
  null: '_\r\n',
  true: '#t\r\n',
  false: '#f\r\n',
  double: ',3.1415\r\n',
  infinity: ',-inf\r\n',
  'big number': '(3492890328409238509324850943850943825024385\r\n',
  'bulk error': '!21\r\nSYNTAX invalid syntax\r\n',
  verbatim: '=15\r\ntxt:Some string\r\n',
  map: '%2\r\n+first\r\n:1\r\n+second\r\n*1\r\n_\r\n',
  'empty map': '%0\r\n',
  set: '~2\r\n+a\r\n$1\r\nb\r\n',
  attribute: '|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n:2\r\n',
  'attribute inside': '*2\r\n|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n:2\r\n',
  push: '>3\r\n+message\r\n+channel\r\n$5\r\nhello\r\n',
  'map in an array in a map': '%1\r\n+k\r\n*2\r\n%1\r\n:1\r\n~1\r\n#t\r\n>1\r\n_\r\n',
};

const COMMANDS = {
  'of one word': '*1\r\n$4\r\nPING\r\n',
  'of binary words': '*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$4\r\n*1\r\n\r\n',
  'with an empty word': '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n',
  inline: 'PING\r\n',
  'inline by hand': 'SET a  1\n',
  'empty line': '\r\n',
  'empty array': '*0\r\n',
  'null array': '*-1\r\n',
};

function cut(kind: 'replies' | 'commands', chunks: readonly Buffer[]): string[] {
  const cutter = new FrameCutter(kind);
  const frames = chunks.flatMap((chunk) => cutter.push(chunk)).map((frame) => frame.toString('latin1'));
  expect(cutter.broken).toBeUndefined();
  expect(cutter.rest()).toHaveLength(0);
  return frames;
}

describe.each([
  ['replies', REPLIES],
  ['commands', COMMANDS],
] as const)('a stream of %s', (kind, samples) => {
  const all = Object.values(samples).map((sample) => Buffer.from(sample));
  const texts = all.map((sample) => sample.toString('latin1'));

  it.each(Object.entries(samples))('is cut the same wherever it is split: %s', (_what, sample) => {
    const bytes = Buffer.from(sample);
    for (let at = 0; at <= bytes.length; at += 1) {
      const cutter = new FrameCutter(kind);
      const early = cutter.push(bytes.subarray(0, at));
      const late = cutter.push(bytes.subarray(at));
      expect([early.length, late.length]).toEqual(at === bytes.length ? [1, 0] : [0, 1]);
      expect(Buffer.concat([...early, ...late])).toEqual(bytes);
    }
  });

  it('is cut the same as a whole, byte by byte, and split in two anywhere', () => {
    const stream = Buffer.concat(all);
    expect(cut(kind, [stream])).toEqual(texts);
    expect(
      cut(
        kind,
        [...stream].map((byte) => Buffer.from([byte])),
      ),
    ).toEqual(texts);
    for (let at = 1; at < stream.length; at += 1) {
      expect(cut(kind, [stream.subarray(0, at), stream.subarray(at)])).toEqual(texts);
    }
  });

  it('is cut the same however it is chunked: 300 streams by chance', () => {
    const random = mulberry32(20_240_607);
    for (let run = 0; run < 300; run += 1) {
      const picked = Array.from({ length: 1 + Math.floor(random() * 30) }, () =>
        kind === 'replies' && random() < 0.5 ? anyReply(random) : all[Math.floor(random() * all.length)]!,
      );
      const frames = cut(kind, chunked(Buffer.concat(picked), random));
      expect(frames, `run ${run}`).toEqual(picked.map((frame) => frame.toString('latin1')));
    }
  });
});

describe('a frame of megabytes', () => {
  it('is cut out of small chunks without reading it over and over', () => {
    const bulk = Buffer.alloc(8 * 1024 * 1024, 'x');
    const stream = Buffer.concat([Buffer.from(`$${bulk.length}\r\n`), bulk, Buffer.from('\r\n+next\r\n')]);
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length; at += 1024) chunks.push(stream.subarray(at, at + 1024));
    const begun = performance.now();
    const frames = cut('replies', chunks);

    expect(frames.map(({ length }) => length)).toEqual([stream.length - 7, 7]);
    // Copying all that is there for each chunk would move 32 GB.
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe('what is no RESP', () => {
  it.each([
    ['replies', 'HTTP/1.1 400 Bad Request\r\n'],
    ['replies', '$x\r\n'],
    ['replies', '*-2\r\n'],
    ['replies', '$\r\n'],
    ['commands', '*1\r\n:1\r\n'],
    ['commands', '*1\r\n$-1\r\n'],
    ['commands', '*1\r\n*0\r\n'],
  ] as const)('breaks a stream of %s behind the frames before it: %j', (kind, bad) => {
    const good = kind === 'replies' ? '+OK\r\n' : '*1\r\n$4\r\nPING\r\n';
    const cutter = new FrameCutter(kind);

    expect(cutter.push(Buffer.from(good + bad)).map(String)).toEqual([good]);
    expect(cutter.broken).toBeInstanceOf(RespError);
    expect(cutter.rest().toString()).toBe(bad);
  });

  it('is not collected for ever', () => {
    const cutter = new FrameCutter('replies');
    for (let n = 0; n < 40; n += 1) cutter.push(Buffer.alloc(64 * 1024, '+'));
    expect(cutter.broken).toBeInstanceOf(RespError);
  });
});

describe('a command', () => {
  it.each([
    [COMMANDS['of binary words'], ['SET', '\r\n', '*1\r\n']],
    [COMMANDS['with an empty word'], ['ECHO', '']],
    [COMMANDS['inline by hand'], ['SET', 'a', '1']],
    [COMMANDS['empty line'], []],
    [COMMANDS['empty array'], []],
    [COMMANDS['null array'], []],
  ])('is read as words: %j', (frame, words) => {
    expect(commandWords(Buffer.from(frame)).map(String)).toEqual(words);
  });
});

describe('the first word of a reply', () => {
  it.each([
    [REPLIES.push, 'message'],
    ['>2\r\n$10\r\ninvalidate\r\n_\r\n', 'invalidate'],
    ['*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n', 'subscribe'],
    [REPLIES['nested array'], ''],
    [REPLIES['empty array'], ''],
    [REPLIES.array, ''],
  ])('of %j is %j', (frame, word) => {
    expect(firstWord(Buffer.from(frame))).toBe(word);
  });
});

describe('an error', () => {
  it('is one line', () => {
    expect(errorReply('LOADING wait').toString()).toBe('-LOADING wait\r\n');
    expect(() => errorReply('two\r\nlines')).toThrow(RespError);
  });
});

/** Any reply, nested up to `depth`. */
function anyReply(random: () => number, depth = 3): Buffer {
  const length = Math.floor(random() * 5);
  const kind = Math.floor(random() * (depth > 0 ? 12 : 8));
  const text = Buffer.from(Array.from({ length: length * 3 }, () => Math.floor(random() * 256)));
  const bulk = (type: string): Buffer =>
    Buffer.concat([Buffer.from(`${type}${text.length}\r\n`), text, Buffer.from('\r\n')]);
  const values = (count: number): Buffer[] =>
    Array.from({ length: count }, () => anyReply(random, depth - 1));
  const lines = ['+OK\r\n', '-ERR no\r\n', `:${length}\r\n`, '_\r\n', '$-1\r\n', '#t\r\n'];
  if (kind < lines.length) return Buffer.from(lines[kind]!);
  if (kind === 6) return bulk('$');
  if (kind === 7) return bulk('=');
  if (kind === 8) return Buffer.concat([Buffer.from(`%${length}\r\n`), ...values(2 * length)]);
  if (kind === 9) return Buffer.concat([Buffer.from(`|${length}\r\n`), ...values(2 * length + 1)]);
  return Buffer.concat([Buffer.from(`${kind === 10 ? '*' : '>'}${length}\r\n`), ...values(length)]);
}
