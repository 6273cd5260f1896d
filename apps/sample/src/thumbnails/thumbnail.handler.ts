import { rename } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { NonRetryableError, type TaskContext, TaskHandler } from '@taskq/nestjs';
import sharp from 'sharp';
import { ImageLibrary } from './image-library.js';
import { makeThumbnails } from './make-thumbnails.contract.js';
import type { ThumbnailRequestDto } from './thumbnail-request.dto.js';

/** Larger images are refused before they are unpacked: a small file can hold a picture of gigabytes. */
const MOST_PIXELS = 40_000_000;

/** Makes thumbnails. Tasks of this queue run side by side already, so that each takes one thread. */
@Injectable()
export class ThumbnailHandler {
  constructor(private readonly images: ImageLibrary) {
    sharp.concurrency(1);
  }

  @TaskHandler(makeThumbnails)
  async make({ image, sizes }: ThumbnailRequestDto, context: TaskContext): Promise<void> {
    const source = this.images.find(image);
    if (source === undefined) throw new NonRetryableError(`there is no image "${image}"`);
    await this.check(source, image);
    for (const size of sizes) {
      // Between two sizes is a good moment to stop for a timeout or a shutdown.
      context.signal.throwIfAborted();
      await this.makeOne(source, size, context);
    }
  }

  /** What cannot be read as an image now cannot be read as one later. */
  private async check(source: string, image: string): Promise<void> {
    try {
      await sharp(source, { limitInputPixels: MOST_PIXELS }).metadata();
    } catch (error) {
      throw new NonRetryableError(`"${image}" is no image that can be read`, { cause: error });
    }
  }

  private async makeOne(source: string, size: number, { id, fence }: TaskContext): Promise<void> {
    const file = this.images.thumbnail(id, size);
    // Written aside, then put in place in one step: nobody ever sees half a thumbnail.
    const unfinished = `${file}.${process.pid}-${fence}`;
    await sharp(source, { limitInputPixels: MOST_PIXELS })
      .resize(size, size, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toFile(unfinished);
    await rename(unfinished, file);
  }
}
