import { describe, expect, it } from 'vitest';
import { outermost, type SlowLogEntry } from './slow-log.js';

const entry = (id: number, us: number, args: string[], address: string): SlowLogEntry => [
  id,
  0,
  us,
  args,
  address,
  address === '?:0' ? '' : 'taskq:commands',
];

describe('the slow log', () => {
  it('shows commands as they were sent, with the slowest that each script ran', () => {
    const sent = outermost([
      entry(4, 1500, ['evalsha', 'b'], '/r.sock:0'),
      entry(3, 6000, ['evalsha', 'a'], '/r.sock:0'),
      entry(2, 1100, ['XACK', 'k'], '?:0'),
      entry(1, 4000, ['XDEL', 'k'], '?:0'),
      entry(0, 2000, ['xrange', 'k'], '/r.sock:0'),
    ]);

    expect(sent.map(({ args, ms, within }) => [args[0], ms, within?.args[0], within?.ms])).toEqual([
      ['xrange', 2, undefined, undefined],
      ['evalsha', 6, 'XDEL', 4],
      ['evalsha', 1.5, undefined, undefined],
    ]);
  });

  it('counts the arguments that Redis has left out', () => {
    const args = ['evalsha', 'a', '... (8348 more arguments)'];

    expect(outermost([entry(0, 1000, args, '/r.sock:0')])[0]!.argCount).toBe(8350);
    expect(outermost([entry(0, 1000, ['ping'], '/r.sock:0')])[0]!.argCount).toBe(1);
  });
});
