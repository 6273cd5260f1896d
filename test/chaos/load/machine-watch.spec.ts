import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { MachineWatch } from './machine-watch.js';

let watch: MachineWatch;
afterEach(() => watch.end());

it('says nothing where it may not go before all others', async () => {
  watch = new MachineWatch();
  await delay(50);

  expect(watch.stoodStillMs).toBe(0);
});

it('does not take a process that is busy for a machine that stands still', async () => {
  watch = new MachineWatch(0);
  await delay(100);
  const before = watch.stoodStillMs;
  const until = performance.now() + 150;
  while (performance.now() < until);

  expect(watch.stoodStillMs - before).toBeLessThan(100);
});
