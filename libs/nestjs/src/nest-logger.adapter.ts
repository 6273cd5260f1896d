import { Logger as NestLogger } from '@nestjs/common';
import type { Logger } from '@taskq/core';

/** What taskq says in an application, in the words of whatever logger the application gave to Nest. */
export class NestLoggerAdapter implements Logger {
  private readonly logger: NestLogger;

  /** @param context shown in brackets by Nest's console logger */
  constructor(context: string) {
    this.logger = new NestLogger(context);
  }

  debug(message: string): void {
    this.logger.debug(message);
  }

  info(message: string): void {
    this.logger.log(message);
  }

  warn(message: string): void {
    this.logger.warn(message);
  }

  /** @param stack of the error that the message is about */
  error(message: string, stack?: string): void {
    if (stack === undefined) this.logger.error(message);
    else this.logger.error(message, stack);
  }
}
