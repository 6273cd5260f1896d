import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { SampleConfig } from '../config/sample-config.js';

/** The folder of the public data sets: films, and a few images. */
export const DATA_SETS = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '../data');

/** Knows where images are, and where thumbnails go. */
@Injectable()
export class ImageLibrary {
  private readonly sources: readonly string[];
  private readonly thumbnails: string;

  constructor(config: ConfigService<SampleConfig, true>) {
    const folder = config.get('dataFolder', { infer: true });
    this.sources = [join(folder, 'images'), DATA_SETS];
    this.thumbnails = join(folder, 'thumbnails');
  }

  /** The file of an image: one of ours, else one of the data sets'. */
  find(image: string): string | undefined {
    return this.sources.map((folder) => join(folder, image)).find((file) => existsSync(file));
  }

  /** The file of a thumbnail: the same for every run of the task, so that running it twice writes it once. */
  thumbnail(taskId: string, size: number): string {
    mkdirSync(this.thumbnails, { recursive: true });
    return join(this.thumbnails, `${taskId}-${size}.webp`);
  }
}
