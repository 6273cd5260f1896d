import { Module } from '@nestjs/common';
import { ConfigurableModuleClass } from './task-queue.module-definition.js';

/**
 * One connection: options, engine, producer, inspector, events and Redis client, for the whole application. Global, so
 * that Nest makes it first and destroys it last; nothing that runs tasks may live here.
 * @internal
 */
@Module({})
export class TaskQueueCoreModule extends ConfigurableModuleClass {}
