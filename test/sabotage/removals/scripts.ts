import type { Removal } from '../removal.js';

const SCRIPTS = 'libs/core/src/redis/scripts';

/** Defences inside the scripts, where every change is decided. */
export const scriptRemovals: readonly Removal[] = [
  {
    name: 'a-group-sent-twice-is-applied-once',
    defence: 'Without it a lost reply makes a second task.',
    file: `${SCRIPTS}/enqueue.lua`,
    take: 'if sequence == ARGV[1] then return answer end\n  known',
    by: 'known',
    witnesses: ['test/broker/conformance.spec.ts', 'test/broker/enqueue.spec.ts'],
  },
  {
    name: 'no-lease-is-taken-before-it-is-over',
    defence: 'Without it every sweep takes tasks from workers that live.',
    file: `${SCRIPTS}/reclaim.lua`,
    take: 'idle < lease or ',
    witnesses: ['test/broker/reclaim.spec.ts'],
  },
];
