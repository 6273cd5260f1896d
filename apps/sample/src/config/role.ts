/** What a process does: enqueue over HTTP, run tasks, or both. */
export type Role = 'producer' | 'worker' | 'both';

/** Whether a process of this role serves the HTTP API. */
export function serves(role: Role): boolean {
  return role !== 'worker';
}

/** Whether a process of this role runs tasks. */
export function works(role: Role): boolean {
  return role !== 'producer';
}
