/** Queue names, task types, prefixes and consumer names: no character has a meaning in a Redis key or a glob. */
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** What to print when a name is refused. */
export const NAME_RULE = '1 to 64 characters of A-Z a-z 0-9 _ . -';

/** Whether `value` may be the name of a queue, a task type, a task id or a key prefix. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}
