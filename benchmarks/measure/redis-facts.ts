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
