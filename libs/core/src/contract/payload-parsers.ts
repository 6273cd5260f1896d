import { ConfigurationError } from './errors.js';
import {
  isStandardSchema,
  type PayloadClassParser,
  type PayloadParser,
  type PayloadSchema,
  standardParser,
} from './payload-schema.js';

/** Finds the parser of a contract's schema, and makes each one once. */
export class PayloadParsers {
  private readonly made = new Map<PayloadSchema, PayloadParser>();

  /** @param classParser what makes parsers for payload classes; without it they are refused */
  constructor(private readonly classParser?: PayloadClassParser) {}

  /**
   * The parser of `schema`, or `undefined` when there is nothing to check.
   * @throws ConfigurationError when the schema is a class and nothing here can check classes
   */
  of(schema: PayloadSchema | undefined): PayloadParser | undefined {
    if (schema === undefined) return undefined;
    let parser = this.made.get(schema);
    if (!parser) {
      parser = isStandardSchema(schema) ? standardParser(schema) : this.ofClass(schema);
      this.made.set(schema, parser);
    }
    return parser;
  }

  private ofClass(schema: Exclude<PayloadSchema, { '~standard': unknown }>): PayloadParser {
    if (this.classParser) return this.classParser(schema);
    throw new ConfigurationError(`payload class ${schema.name}`, ['the engine alone cannot check classes'], {
      fix: 'use @taskq/nestjs, which checks them with class-validator, or give a Standard Schema',
    });
  }
}
