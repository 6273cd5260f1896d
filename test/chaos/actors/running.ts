import type { Broker, TaskQueue } from '@taskq/core';
import type { HistoryWriter } from '../history/history.js';
import type { ActorConfig } from './actor-config.js';
import type { PassPoint } from './crashing-broker.js';

/** An actor that runs. */
export interface Running {
  readonly engine: TaskQueue<Broker>;
  readonly history: HistoryWriter;
  readonly config: ActorConfig;
  /** Resolves when the parent, or a signal, says that it is enough. */
  readonly stopped: Promise<void>;
  readonly pass: PassPoint;
}
