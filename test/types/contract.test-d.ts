import { defineTask, type Payload, type PayloadInput, snooze } from '@taskq/core';
import { z } from 'zod';

class SendEmailDto {
  to!: string;
  describe(): string {
    return `mail to ${this.to}`;
  }
}

declare module '@taskq/core' {
  interface TaskTypes {
    'report.build': { month: number };
  }
}

const byClass = defineTask({ type: 'email.send', payload: SendEmailDto, maxAttempts: 5, timeout: '30s' });
const bySchema = defineTask({
  type: 'user.import',
  payload: z.object({ age: z.string().transform(Number) }),
});
const byNothing = defineTask({ type: 'anything' });

// An upgrade makes what the schema accepts, at once or later, of what nobody knows.
export const versions = [
  defineTask({ type: 'v', version: 2, payload: SendEmailDto, upgrade: () => ({ to: 'a@b.c' }) }),
  defineTask({ type: 'v', version: 2, payload: SendEmailDto, upgrade: async () => ({ to: 'a@b.c' }) }),
  defineTask({ type: 'v', version: 2, upgrade: (payload, from) => ({ payload, from: from + 1 }) }),
  defineTask({ type: 'v', version: 2 }),
];
// @ts-expect-error -- `to` is missing
defineTask({ type: 'v', version: 2, payload: SendEmailDto, upgrade: () => ({}) });
// @ts-expect-error -- nothing is known of what was stored, so nothing may be used unchecked
defineTask({ type: 'v', version: 2, upgrade: (payload) => payload.to });
// @ts-expect-error -- a version is a number
defineTask({ type: 'v', version: '2' });

// The type of the task stays a literal.
export const type: 'email.send' = byClass.type;

// A producer gives data; a handler gets an instance, methods and all.
export const given: PayloadInput<typeof byClass> = { to: 'a@b.c' };
export const handled = (payload: Payload<typeof byClass>): string => payload.describe();
// @ts-expect-error -- `to` is missing
export const incomplete: PayloadInput<typeof byClass> = {};
// @ts-expect-error -- `to` is a string
export const wrong: PayloadInput<typeof byClass> = { to: 1 };

// A schema that transforms has two sides.
export const before: PayloadInput<typeof bySchema> = { age: '7' };
export const after: Payload<typeof bySchema> = { age: 7 };
// @ts-expect-error -- what the schema accepts is a string
export const swapped: PayloadInput<typeof bySchema> = { age: 7 };

// Without a schema nothing is known, so nothing may be used unchecked.
export const unknowing = (payload: Payload<typeof byNothing>): unknown => payload;
// @ts-expect-error -- unknown
export const careless = (payload: Payload<typeof byNothing>): string => payload.to;

// Types by name, declared by merging.
export const report: Payload<'report.build'> = { month: 11 };
// @ts-expect-error -- `month` is a number
export const badReport: Payload<'report.build'> = { month: 'November' };
export const unlisted: Payload<'not.declared'> = 'unknown takes anything';

// Wrong options do not compile.
// @ts-expect-error -- maxAttempt is no option
defineTask({ type: 'x', maxAttempt: 5 });
// @ts-expect-error -- a duration has a unit or is a number
defineTask({ type: 'x', timeout: '30 seconds' });
// @ts-expect-error -- a contract has a type
defineTask({ payload: SendEmailDto });
// @ts-expect-error -- a delay is needed
snooze();
