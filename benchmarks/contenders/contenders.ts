import { beeQueue } from './bee-queue.js';
import { bullmq } from './bullmq.js';
import { ceiling } from './ceiling.js';
import type { Contender, ContenderName } from './contender.js';
import { groupmq } from './groupmq.js';
import { taskqNest, taskqNestFull } from './taskq-nest.js';
import { taskq, taskqListened } from './taskq.js';

/** Everybody who can be measured. What they need is loaded when they are opened. */
export const contenders: readonly Contender[] = [
  taskq,
  taskqNest,
  taskqNestFull,
  taskqListened,
  bullmq,
  groupmq,
  beeQueue,
  ceiling,
];

export function contenderNamed(name: ContenderName): Contender {
  return contenders.find((contender) => contender.name === name)!;
}
