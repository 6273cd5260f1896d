export { MemoryBroker, type MemoryBrokerOptions } from './memory-broker/memory-broker.js';
export { type MemorySnapshot, MemoryStore, type MemoryStoreOptions } from './memory-broker/memory-store.js';
export type { LaneView, QueueView, StoreView } from './memory-broker/store-view.js';
export { freePort } from './redis/free-port.js';
export type { ClusterFailoverOptions } from './redis/cluster-failover.js';
export type { MigrateSlotOptions } from './redis/cluster-migration.js';
export {
  type RedisCluster,
  type RedisClusterNode,
  startRedisCluster,
  type StartRedisClusterOptions,
} from './redis/redis-cluster.js';
export {
  type RedisReplication,
  startRedisReplication,
  type StartRedisReplicationOptions,
} from './redis/redis-replication.js';
export {
  type RedisSentinel,
  startRedisSentinel,
  type StartRedisSentinelOptions,
} from './redis/redis-sentinel.js';
export { startRedisServer } from './redis/redis-server.js';
export type {
  RedisConnection,
  RedisServer,
  RedisSource,
  StartRedisOptions,
} from './redis/redis-server.interface.js';
export { RedisServerUnavailableError } from './redis/redis-unavailable.error.js';
export type { RedisGroupOptions, RedisNode } from './redis/server-group.js';
export { VirtualClock } from './virtual-clock.js';
export { waitFor, type WaitForOptions } from './wait-for.js';
