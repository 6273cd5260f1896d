export type {
  Broker,
  CleaningRequest,
  ConsumerInfo,
  DeadLetter,
  DeadLetterRef,
  Delivery,
  DutyAnswer,
  DutyRequest,
  EnqueueAnswer,
  EnqueueGroup,
  EnqueueReply,
  EntryRef,
  FetchAnswer,
  FetchRequest,
  GroupRef,
  LaneQuota,
  Lease,
  NewTask,
  PartitionsRecord,
  PromoteAnswer,
  PromoteRequest,
  QueueCounts,
  ReclaimAnswer,
  ReclaimCursor,
  ReclaimRequest,
  ScheduledTask,
  SettleAnswer,
  Settlement,
  SettleRequest,
  StoredTask,
  SweepAnswer,
  SweepRequest,
  TaskPlace,
  WakeReason,
} from './broker/broker.js';
export type { GuardRequest, LeaseGuard } from './broker/lease-guard.js';
export type { DataLoss, LostRange } from './contract/data-loss.js';
export { type Durability, durabilityName } from './contract/durability.js';
export { type Duration, durationMs, formatDuration } from './contract/duration.js';
export {
  BacklogFullError,
  BrokerError,
  BrokerTimeoutError,
  ConfigurationError,
  DurabilityUnavailableError,
  EnqueueManyError,
  EnqueueOutcomeUnknownError,
  HandlerRegistrationError,
  InvalidPayloadError,
  LeaseLostError,
  LeaseUnprovenError,
  LifecycleError,
  MalformedTaskError,
  NonRetryableError,
  type PayloadIssue,
  QueueFullError,
  RedisUnusableError,
  TaskqError,
  type TaskqErrorOptions,
  TaskTimeoutError,
  WorkerShutdownError,
} from './contract/errors.js';
export { type Lane, LANES } from './contract/lane.js';
export { isName, NAME_RULE } from './contract/names.js';
export { PayloadParsers } from './contract/payload-parsers.js';
export {
  type ParsedPayload,
  type PayloadClass,
  type PayloadClassParser,
  type PayloadParser,
  type PayloadSchema,
  type StandardResult,
  type StandardSchema,
} from './contract/payload-schema.js';
export type { TaskContext } from './contract/task-context.js';
export {
  type AnyContract,
  type Backoff,
  type ContractOptions,
  type DataOf,
  defineTask,
  type Payload,
  type PayloadInput,
  type RetryInfo,
  type TaskContract,
  type TaskDefinition,
  type TaskOptions,
  type TaskTypes,
} from './contract/task-contract.js';
export { deadLetter, discard, isDirective, snooze, type TaskDirective } from './contract/task-directive.js';
export type { AttemptRecord, TaskMeta } from './contract/task-message.js';
export { type Inspection, Inspector, type TaskView } from './inspector/inspector.js';
export {
  type EngineOptions,
  type LimitOptions,
  type ProducerOptions,
  type QueueDefaults,
  type QueueOptions,
  type ResolvedEngineOptions,
  resolveEngineOptions,
  type WorkerOptions,
} from './policy/engine-options.js';
export type { RedisOptions } from './policy/redis-options.js';
export { group, oneOf, type OptionField, type OptionFields } from './policy/option-check.js';
export type { DeadLetterReason } from './policy/outcome.js';
export { type EnqueueOptions, resolveContractOptions } from './policy/task-options.js';
export type { TaskState } from './policy/task-state.js';
export {
  type CallOptions,
  type EnqueueResult,
  type ManyItem,
  type NamedTarget,
  TaskProducer,
} from './producer/task-producer.js';
export { RedisBroker } from './redis/redis-broker.js';
export type { ServerFacts } from './redis/server-check.js';
export { type CancelTimer, type Clock, systemClock } from './runtime/clock.js';
export { type Logger, silentLogger } from './runtime/logger.js';
export { TaskQueue, type TaskQueueParts } from './task-queue.js';
export { type KnownLoss, LossRecord } from './telemetry/loss-record.js';
export {
  type LossFact,
  type TaskEventMap,
  type TaskEventName,
  TaskEvents,
  type TaskFact,
} from './telemetry/task-events.js';
export { type HandlerDefinition, HandlerRegistry } from './worker/handler-registry.js';
export { type StopOptions, type StopReport, TaskWorker, type WorkerStatus } from './worker/task-worker.js';
