import { type DynamicModule, Module } from '@nestjs/common';
import { TaskQueueModule } from '@taskq/nestjs';
import { type Role, serves, works } from '../config/role.js';
import { ImageLibrary } from './image-library.js';
import { makeThumbnails } from './make-thumbnails.contract.js';
import { ThumbnailHandler } from './thumbnail.handler.js';
import { ThumbnailsController } from './thumbnails.controller.js';

/** Thumbnails: ordered over HTTP, made by the worker. */
@Module({})
export class ThumbnailsModule {
  static for(role: Role): DynamicModule {
    return {
      module: ThumbnailsModule,
      imports: [TaskQueueModule.forFeature({ contracts: [makeThumbnails] })],
      controllers: serves(role) ? [ThumbnailsController] : [],
      providers: works(role) ? [ImageLibrary, ThumbnailHandler] : [],
    };
  }
}
