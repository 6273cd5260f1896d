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

/** The process of the server. */
export async function processOf(admin: Redis): Promise<number> {
  return factOf(await admin.info('server'), 'process_id');
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
