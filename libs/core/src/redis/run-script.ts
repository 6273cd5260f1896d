import type { Redis } from 'ioredis';

/** A script as it was compiled from its file. */
export interface Script {
  readonly name: string;
  readonly sha1: string;
  readonly lua: string;
}

/** Runs a script by its hash, and by its text when the server does not know it (a restart, a failover, SCRIPT FLUSH). */
export async function runScript(
  client: Redis,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(script.sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
  }
  return client.eval(script.lua, keys.length, ...keys, ...args);
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
