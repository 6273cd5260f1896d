import { Module } from '@nestjs/common';
import { QueuesController } from './queues.controller.js';

/** A window into the queues. */
@Module({ controllers: [QueuesController] })
export class QueuesModule {}
