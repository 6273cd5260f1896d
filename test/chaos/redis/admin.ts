import type { RedisNode } from '@taskq/testing';
import { Redis } from 'ioredis';

/** The ids of all tasks of a queue that a server knows now: ready, active, scheduled and dead. */
export async function idsKept(
  server: RedisNode,
  prefix: string,
  queue: string,
): Promise<ReadonlySet<string>> {
  const admin = new Redis(server.port, server.host);
  admin.on('error', () => undefined);
  const base = `${prefix}:{${queue}}`;
  try {
    const streams = await Promise.all(
      [':tasks', ':tasks:high', ':tasks:low', ':tasks-dead'].map((key) =>
        admin.xrange(`${base}${key}`, '-', '+'),
      ),
    );
    const scheduled = await admin.hkeys(`${base}:scheduled:data`);
    const entries = streams.flat().map(([, fields]) => fields[fields.indexOf('id') + 1]!);
    return new Set([...entries, ...scheduled]);
  } finally {
    admin.disconnect();
  }
}

/** Sends one command on a connection of its own. */
export function tell(server: RedisNode, ...command: readonly [string, ...string[]]): Promise<unknown> {
  return tellAll(server, [command]).then(([answer]) => answer);
}

/** Sends commands, one after the other, on one connection of their own. */
export async function tellAll(
  server: RedisNode,
  commands: readonly (readonly [string, ...string[]])[],
): Promise<unknown[]> {
  const admin = new Redis(server.port, server.host);
  admin.on('error', () => undefined);
  const answers: unknown[] = [];
  try {
    for (const [name, ...args] of commands) answers.push(await admin.call(name, ...args));
    return answers;
  } finally {
    admin.disconnect();
  }
}
