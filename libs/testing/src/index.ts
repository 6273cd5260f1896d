export { freePort } from './redis/free-port.js';
export { startRedisServer } from './redis/redis-server.js';
export type {
  RedisConnection,
  RedisServer,
  RedisSource,
  StartRedisOptions,
} from './redis/redis-server.interface.js';
export { RedisServerUnavailableError } from './redis/redis-unavailable.error.js';
export { waitFor, type WaitForOptions } from './wait-for.js';
