import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { TaskHandler, type TaskContext } from '@taskq/nestjs';
import type { SampleConfig } from '../config/sample-config.js';
import { CatalogueStore } from './catalogue-store.js';
import { importMovie } from './import-movie.contract.js';
import { toMovie } from './movie.js';
import type { MovieRecordDto } from './movie-record.dto.js';

/** Puts records into the catalogue. Those that do not pass the DTO never get here: they are dead letters. */
@Injectable()
export class CatalogueImportHandler {
  private readonly latencyMs: number;

  constructor(
    private readonly store: CatalogueStore,
    config: ConfigService<SampleConfig, true>,
  ) {
    this.latencyMs = config.get('catalogue', { infer: true }).latencyMs;
  }

  @TaskHandler(importMovie)
  async import(record: MovieRecordDto, context: TaskContext): Promise<void> {
    const movie = toMovie(context.id, record);
    if (this.latencyMs > 0) await sleep(this.latencyMs, undefined, { signal: context.signal });
    this.store.save(movie);
  }
}
