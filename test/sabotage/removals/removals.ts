import type { Removal } from '../removal.js';
import { enqueueScriptRemovals } from './enqueue-scripts.js';
import { leaseScriptRemovals } from './lease-scripts.js';
import { leaseWatchRemovals } from './lease-watch.js';
import { nestRemovals } from './nest.js';
import { partitionRemovals } from './partitions.js';
import { policyRemovals } from './policy.js';
import { producerRemovals } from './producer.js';
import { redisDataRemovals } from './redis-data.js';
import { redisLinkRemovals } from './redis-links.js';
import { settleScriptRemovals } from './settle-script.js';
import { shelfScriptRemovals } from './shelf-scripts.js';
import { workerServiceRemovals } from './worker-services.js';
import { workerTaskRemovals } from './worker-tasks.js';
import { workerUpkeepRemovals } from './worker-upkeep.js';

/** Every defence that is taken away to see whether anybody notices. */
export const removals: readonly Removal[] = [
  ...enqueueScriptRemovals,
  ...settleScriptRemovals,
  ...leaseScriptRemovals,
  ...shelfScriptRemovals,
  ...workerTaskRemovals,
  ...workerServiceRemovals,
  ...workerUpkeepRemovals,
  ...leaseWatchRemovals,
  ...producerRemovals,
  ...redisLinkRemovals,
  ...redisDataRemovals,
  ...policyRemovals,
  ...partitionRemovals,
  ...nestRemovals,
];
