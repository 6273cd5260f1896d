import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  HttpStatus,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';
import { type EnqueueResult, TaskProducer } from '@taskq/nestjs';
import { IdempotencyKey } from '../http/idempotency-key.decorator.js';
import { withKey } from '../http/enqueue-answer.js';
import { CatalogueStore } from './catalogue-store.js';
import { importMovie } from './import-movie.contract.js';
import type { Movie } from './movie.js';

/** Records that one request may bring. */
const MOST_RECORDS = 1000;

/** What an import answers: how many tasks there are, and each of them in the order of the records. */
export interface ImportAnswer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly tasks: readonly EnqueueResult[];
}

/** Takes records into the catalogue and shows what is in it. */
@Controller('catalogue')
export class CatalogueController {
  constructor(
    private readonly producer: TaskProducer,
    private readonly store: CatalogueStore,
  ) {}

  /**
   * One task per record. Records are taken as they are: by the task's name, not its contract, so that a bad one does
   * not turn away a thousand good ones. It is judged where it is handled, and ends as a dead letter with the reason.
   */
  @Post('imports')
  @HttpCode(HttpStatus.ACCEPTED)
  async import(@Body() records: unknown, @IdempotencyKey() key: string | undefined): Promise<ImportAnswer> {
    if (!Array.isArray(records) || records.length === 0 || records.length > MOST_RECORDS) {
      throw new BadRequestException(`The body must be a JSON array of 1 to ${MOST_RECORDS} records.`);
    }
    const tasks = await this.producer.enqueueMany(
      importMovie.type,
      records.map((payload: unknown, index) => ({
        payload,
        options: { ...withKey(key && `${key}:${index}`), queue: importMovie.queue },
      })),
    );
    const count = (status: EnqueueResult['status']): number =>
      tasks.filter((task) => task.status === status).length;
    return {
      accepted: count('accepted'),
      duplicates: count('duplicate'),
      conflicts: count('conflict'),
      tasks,
    };
  }

  /** The film that a task imported. */
  @Get(':id')
  async find(@Param('id') id: string): Promise<Movie> {
    const movie = await this.store.find(id);
    if (movie) return movie;
    throw new NotFoundException(
      `No film was imported by task ${id}; GET /tasks/${importMovie.queue}/${id} may say why.`,
    );
  }
}
