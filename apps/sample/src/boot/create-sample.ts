import 'reflect-metadata';
import { accessSync, constants, mkdirSync } from 'node:fs';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { SampleConfig } from '../config/sample-config.js';
import { SampleModule } from '../sample.module.js';

/** A thousand records are half a megabyte; more than this is a mistake, or an attack. */
const BODY_LIMIT = '4mb';

/**
 * Makes the application: everything but listening. Rejects with what is wrong instead of ending the process, and has
 * then logged nothing: whoever called says it in words of their own.
 */
export async function createSample(
  config: SampleConfig,
  logger?: LoggerService,
): Promise<NestExpressApplication> {
  // Found out now rather than by the first task.
  mkdirSync(config.dataFolder, { recursive: true });
  accessSync(config.dataFolder, constants.W_OK);
  const app = await NestFactory.create<NestExpressApplication>(SampleModule.for(config), {
    abortOnError: false,
    bufferLogs: true,
    autoFlushLogs: false,
    ...(logger && { logger }),
  });
  app.useBodyParser('json', { limit: BODY_LIMIT });
  // Without this, SIGTERM ends the process in the middle of its tasks.
  app.enableShutdownHooks();
  return app;
}
