import type { Fault } from '../fault.js';
import { clocksShifted } from './clocks-shifted.js';
import { clusterMasterFrozen, clusterMasterKilled, clusterSlotMoved } from './cluster-changed.js';
import { consumersChurned } from './consumers-churned.js';
import { failedOver, failedOverAccepted, failedOverUnprotected } from './failed-over.js';
import { halfOpen } from './half-open.js';
import { groupGone, keysGone } from './keys-gone.js';
import { loopBlocked } from './loop-blocked.js';
import { outage, outageFrozen, outageStart } from './outage.js';
import { poisonPill } from './poison-pill.js';
import { powerLost, powerLostEverysec, powerLostUnprotected } from './power-lost.js';
import { redisFull } from './redis-full.js';
import { redisKilled, redisKilledUnprotected, redisKilledVolatile } from './redis-killed.js';
import { redisRestarted, redisRestartedDurable } from './redis-restarted.js';
import { enqueueReplyLost, readReplyLost } from './replies-lost.js';
import { scriptsFlushed } from './scripts-flushed.js';
import { sentinelFailover, sentinelFailoverConfirmed } from './sentinel-failover.js';
import { workerKilled } from './worker-killed.js';
import { workerPaused } from './worker-paused.js';
import { workerTerminated } from './worker-terminated.js';

/** Every fault of the laboratory, in the order of the report. */
export const faults: readonly Fault[] = [
  workerKilled,
  workerPaused,
  loopBlocked,
  poisonPill,
  workerTerminated,
  enqueueReplyLost,
  readReplyLost,
  halfOpen,
  redisRestarted,
  redisRestartedDurable,
  redisKilled,
  redisKilledUnprotected,
  redisKilledVolatile,
  powerLost,
  powerLostEverysec,
  powerLostUnprotected,
  failedOver,
  failedOverAccepted,
  failedOverUnprotected,
  sentinelFailover,
  sentinelFailoverConfirmed,
  clusterMasterKilled,
  clusterMasterFrozen,
  clusterSlotMoved,
  redisFull,
  keysGone,
  groupGone,
  scriptsFlushed,
  outage,
  outageFrozen,
  outageStart,
  clocksShifted,
  consumersChurned,
];
