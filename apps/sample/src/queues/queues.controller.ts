import {
  BadRequestException,
  Body,
  Controller,
  DefaultValuePipe,
  Get,
  HttpCode,
  HttpStatus,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
} from '@nestjs/common';
import { type DeadLetter, type Inspection, Inspector, type TaskView } from '@taskq/nestjs';
import { KnownQueuePipe } from './known-queue.pipe.js';

/** Dead letters shown at once. */
const PAGE = 100;

/** Shows what is in the queues, and puts dead letters back. */
@Controller()
export class QueuesController {
  constructor(private readonly inspector: Inspector) {}

  /** How many tasks are in which state. */
  @Get('queues/:queue')
  counts(@Param('queue', KnownQueuePipe) queue: string): Promise<Inspection> {
    return this.inspector.counts(queue);
  }

  /** A task that is waiting, running or dead. One that is completed is gone. */
  @Get('tasks/:queue/:id')
  async task(@Param('queue', KnownQueuePipe) queue: string, @Param('id') id: string): Promise<TaskView> {
    const task = await this.inspector.find(queue, id);
    if (task) return task;
    throw new NotFoundException(`Queue "${queue}" holds no task ${id}: it is completed, or never was.`);
  }

  /** Dead letters, oldest first; `after` is the `entryId` of the last one seen. */
  @Get('dead-letters/:queue')
  deadLetters(
    @Param('queue', KnownQueuePipe) queue: string,
    @Query('limit', new DefaultValuePipe(PAGE), ParseIntPipe) limit: number,
    @Query('after') after = '',
  ): Promise<readonly DeadLetter[]> {
    if (limit < 1 || limit > PAGE) throw new BadRequestException(`limit must be 1 to ${PAGE}`);
    if (!/^(\d+-\d+)?$/.test(after)) throw new BadRequestException('after must be an entryId');
    return this.inspector.deadLetters(queue, { limit, after });
  }

  /** Puts one dead letter back (`{ "id": … }`), or all of them. */
  @Post('dead-letters/:queue/replay')
  @HttpCode(HttpStatus.OK)
  async replay(
    @Param('queue', KnownQueuePipe) queue: string,
    @Body() request: { readonly id?: unknown } | undefined,
  ): Promise<{ replayed: number }> {
    const id = request?.id;
    if (id === undefined) return { replayed: await this.inspector.replayAll(queue) };
    if (typeof id === 'string' && (await this.inspector.replay(queue, id))) return { replayed: 1 };
    throw new NotFoundException(`Queue "${queue}" has no such dead letter.`);
  }
}
