// The project's own Redis client. Files beside what the contenders have installed would find theirs first.
export { type ChainableCommander, Redis } from 'ioredis';
