import { describe, expect, it } from 'vitest';
import { resolveEngineOptions } from '../policy/engine-options.js';
import { NodeLinks } from './node-links.js';

/** Pauses before the first tries to reconnect, by what chance says. */
function pauses(random: number): readonly unknown[] {
  const options = resolveEngineOptions().redis;
  const links = new NodeLinks({ options, endpoint: { host: '127.0.0.1', port: 1 }, random: () => random });
  const { retryStrategy } = links.commands.options;
  links.commands.disconnect();
  return [1, 2, 3, 10, 1000].map((attempt) => retryStrategy?.(attempt));
}

describe('the pause before a try to reconnect', () => {
  it('is anything from nearly nothing to its longest, so that a fleet does not come back as one', () => {
    const [least, middle, most] = [pauses(0), pauses(0.5), pauses(1)];

    expect(least).toEqual([20, 20, 20, 20, 20]);
    expect(middle).toEqual([70, 120, 220, 520, 520]);
    expect(most).toEqual([120, 220, 420, 1020, 1020]);
  });
});
