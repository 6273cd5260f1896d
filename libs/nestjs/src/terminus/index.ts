export { TaskQueueHealthIndicator, type TaskQueueHealthOptions } from './task-queue.health.js';
export { TaskQueueHealthModule } from './task-queue-health.module.js';
