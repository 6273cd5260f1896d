import {
  ConfigurationError,
  type ParsedPayload,
  type PayloadClass,
  type PayloadIssue,
  type PayloadParser,
} from '@taskq/core';
import { type ClassConstructor, plainToInstance } from 'class-transformer';
import { getMetadataStorage, validate, type ValidationError, type ValidatorOptions } from 'class-validator';

/**
 * Properties without a decorator are dropped, not refused: a producer of the next release may send more than this one
 * knows. The objects themselves stay out of the errors, which end up in logs.
 */
const VALIDATION: ValidatorOptions = {
  whitelist: true,
  forbidUnknownValues: true,
  validationError: { target: false, value: false },
};

/**
 * Parser of a payload class: `class-transformer` makes an instance of it, `class-validator` checks the instance. A
 * payload that is an instance already is copied, so that the caller's object stays as it is.
 * @throws ConfigurationError when the class has no `class-validator` decorator: it would refuse every payload
 */
export function classPayloadParser(payloadClass: PayloadClass): PayloadParser {
  const storage = getMetadataStorage();
  if (storage.getTargetValidationMetadatas(payloadClass, '', false, false).length === 0) {
    throw new ConfigurationError('payload', [
      `class ${payloadClass.name} has no class-validator decorator and would refuse everything; ` +
        'decorate its properties, with @Allow() those that may be anything',
    ]);
  }
  return (value) => parse(payloadClass as unknown as ClassConstructor<object>, value);
}

async function parse(payloadClass: ClassConstructor<object>, value: unknown): Promise<ParsedPayload> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused([{ path: '', message: 'must be an object' }]);
  }
  let instance: object;
  try {
    instance = plainToInstance(payloadClass, value);
  } catch (error) {
    return refused([{ path: '', message: `cannot be transformed: ${(error as Error).message}` }]);
  }
  // Not validateSync: it takes every asynchronous validator for passed.
  const errors = await validate(instance, VALIDATION);
  return errors.length === 0 ? { ok: true, value: instance } : refused(issuesOf(errors, ''));
}

function refused(issues: readonly PayloadIssue[]): ParsedPayload {
  return { ok: false, issues };
}

function issuesOf(errors: readonly ValidationError[], parent: string): PayloadIssue[] {
  return errors.flatMap(({ property, constraints, children }) => {
    const path = join(parent, property);
    const own = Object.values(constraints ?? {}).map((message) => ({
      path,
      message: spoken(message, property),
    }));
    return [...own, ...issuesOf(children ?? [], path)];
  });
}

/** Items of lists are told by number: `items[2].price`. */
function join(parent: string, property: string | undefined): string {
  if (property === undefined) return parent;
  if (parent !== '' && /^\d+$/.test(property)) return `${parent}[${property}]`;
  return parent === '' ? property : `${parent}.${property}`;
}

/** class-validator's messages begin with the property, which the path says already. */
function spoken(message: string, property: string | undefined): string {
  return property !== undefined && message.startsWith(`${property} `)
    ? message.slice(property.length + 1)
    : message;
}
