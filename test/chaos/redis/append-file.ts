import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisServer } from '@taskq/testing';

const FOLDER = 'appendonlydir';

/** The file that a server appends to now. Only from its own folder, and only of servers that never rewrote theirs. */
export function appendFile(server: RedisServer): string {
  const folder = join(server.dataFolder!, FOLDER);
  const name = readdirSync(folder).find((one) => one.endsWith('.incr.aof'));
  if (name === undefined) throw new Error(`no file is appended to in ${folder}`);
  return join(folder, name);
}

export function sizeOf(file: string): number {
  return statSync(file).size;
}

/** What a power loss leaves of a file that was not synced to its end. */
export function cutAt(file: string, bytes: number): void {
  truncateSync(file, bytes);
}

/**
 * The ids of all tasks that a server will know of when it starts with this file, whatever has become of them by the
 * end of it. A group that was cut short is left out, as the server does.
 */
export function idsIn(file: string): ReadonlySet<string> {
  const text = readFileSync(file, 'latin1');
  const lastBegin = text.lastIndexOf('\r\nMULTI\r\n');
  const whole = lastBegin > text.lastIndexOf('\r\nEXEC\r\n') ? text.slice(0, lastBegin) : text;
  const ids = whole.matchAll(/(?<=\r\n)([A-Za-z0-9_-]{12}\.[0-9a-z]{1,11})(?=\r\n)/g);
  return new Set([...ids].map(([id]) => id));
}

/** Where the last group of changes ends that names one of the ids; 0 when none does. */
export function endOfLast(file: string, ids: readonly string[]): number {
  const END = '\r\nEXEC\r\n';
  const text = readFileSync(file, 'latin1');
  const last = Math.max(-1, ...ids.map((id) => text.lastIndexOf(`\r\n${id}\r\n`)));
  const end = last < 0 ? -1 : text.indexOf(END, last);
  return end < 0 ? 0 : end + END.length;
}
