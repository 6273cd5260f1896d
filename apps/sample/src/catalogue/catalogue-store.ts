import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { SampleConfig } from '../config/sample-config.js';
import type { Movie } from './movie.js';

/**
 * The catalogue: one file of JSON lines per process, read together, so that any number of processes may write. Lines
 * with the same id are the same film: an import that is run twice changes nothing.
 */
@Injectable()
export class CatalogueStore implements OnModuleDestroy {
  private readonly folder: string;
  private file: number | undefined;

  constructor(config: ConfigService<SampleConfig, true>) {
    this.folder = join(config.get('dataFolder', { infer: true }), 'catalogue');
  }

  /** Writes a film. When it returns, the operating system has it, so a kill -9 cannot take it back. */
  save(movie: Movie): void {
    if (this.file === undefined) {
      mkdirSync(this.folder, { recursive: true });
      this.file = openSync(join(this.folder, `movies-${process.pid}.jsonl`), 'a');
    }
    writeSync(this.file, `${JSON.stringify(movie)}\n`);
  }

  /** The film that the task `id` imported. */
  async find(id: string): Promise<Movie | undefined> {
    const mark = JSON.stringify(id);
    const names = existsSync(this.folder) ? readdirSync(this.folder) : [];
    for (const name of names) {
      const lines = createInterface({ input: createReadStream(join(this.folder, name)) });
      for await (const line of lines) {
        // Most lines are of other films: parse only one that names this id.
        if (line.includes(mark) && (JSON.parse(line) as Movie).id === id) return JSON.parse(line) as Movie;
      }
    }
    return undefined;
  }

  onModuleDestroy(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }
}
