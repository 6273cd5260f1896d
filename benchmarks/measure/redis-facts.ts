import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** A number from a section of `INFO`. @throws Error when this server does not tell it */
export function factOf(info: string, name: string): number {
  const value = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1];
  if (value === undefined) throw new Error(`this Redis does not tell ${name}`);
  return Number(value);
}

/** Microseconds of processor time that the server has used so far: all of its threads, in user mode and in the kernel. */
export async function redisCpuMicros(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  return (factOf(info, 'used_cpu_user') + factOf(info, 'used_cpu_sys')) * 1e6;
}

/** Bytes that the server has asked its allocator for. */
export async function usedMemory(admin: Redis): Promise<number> {
  return factOf(await admin.info('memory'), 'used_memory');
}

/** Name of the connections of the benchmark itself, which are not counted. */
export const OWN_NAME = 'benchmark';

/** Connections that the server has, without those of the benchmark itself. */
export async function connectionsOf(admin: Redis): Promise<number> {
  const clients = String(await admin.client('LIST'))
    .trim()
    .split('\n');
  return clients.filter((client) => !client.includes(` name=${OWN_NAME} `)).length;
}

/**
 * Commands that clients sent within so many milliseconds. Redis counts what scripts run inside as well; `MONITOR` tells
 * these apart.
 */
export async function commandsSentWithin(admin: Redis, ms: number): Promise<number> {
  const monitor = await admin.duplicate({ connectionName: OWN_NAME }).monitor();
  let byScripts = 0;
  monitor.on('monitor', (_time: string, _command: unknown, source: string) => {
    if (source === 'lua') byScripts += 1;
  });
  const before = await commandsSoFar(admin);
  await delay(ms);
  // The question before is in the answer after.
  const all = (await commandsSoFar(admin)) - before - 1;
  monitor.disconnect();
  return all - byScripts;
}

async function commandsSoFar(admin: Redis): Promise<number> {
  return factOf(await admin.info('stats'), 'total_commands_processed');
}

/** A command that took long. */
export interface SlowCommand {
  readonly ms: number;
  readonly name: string;
}

/** What Redis calls the client of a command that a script runs; the script itself is in the log as well. */
const SCRIPT = '?:0';

type SlowLogEntry = readonly [number, number, number, readonly string[], string, string];

/** The slowest command of the log that is not the benchmark's own; by the clock on the wall. */
export async function slowestCommand(admin: Redis): Promise<SlowCommand | undefined> {
  const entries = (await admin.slowlog('GET', -1)) as readonly SlowLogEntry[];
  let slowest: SlowCommand | undefined;
  for (const [, , micros, args, address, client] of entries) {
    if (address === SCRIPT || client === OWN_NAME) continue;
    if (slowest === undefined || micros / 1000 > slowest.ms)
      slowest = { ms: micros / 1000, name: nameOf(args) };
  }
  return slowest;
}

/** The scripts of taskq, from the root of the project. */
const SCRIPTS = 'libs/core/src/redis/scripts.generated.ts';

/** What a command is called: of a script of taskq its name, of another's the beginning of its hash. */
function nameOf([command = '', first = '']: readonly string[]): string {
  if (command.toLowerCase() !== 'evalsha') return `${command} ${first}`.slice(0, 60);
  const named = readFileSync(SCRIPTS, 'utf8').matchAll(/name: '([^']+)',\s+sha1: '([0-9a-f]{40})'/g);
  const name = [...named].find(([, , sha1]) => sha1 === first)?.[1];
  return name ?? `evalsha ${first.slice(0, 8)}`;
}
