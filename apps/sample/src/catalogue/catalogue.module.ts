import { type DynamicModule, Module } from '@nestjs/common';
import { TaskQueueModule } from '@taskq/nestjs';
import { type Role, serves, works } from '../config/role.js';
import { CatalogueController } from './catalogue.controller.js';
import { CatalogueImportHandler } from './catalogue-import.handler.js';
import { CatalogueStore } from './catalogue-store.js';
import { importMovie } from './import-movie.contract.js';

/** The catalogue: taken in over HTTP, written by the worker. */
@Module({})
export class CatalogueModule {
  static for(role: Role): DynamicModule {
    return {
      module: CatalogueModule,
      imports: [TaskQueueModule.forFeature({ contracts: [importMovie] })],
      controllers: serves(role) ? [CatalogueController] : [],
      providers: [CatalogueStore, ...(works(role) ? [CatalogueImportHandler] : [])],
    };
  }
}
