import { existsSync } from 'node:fs';
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisServer } from '@taskq/testing';
import { isRunning } from './launcher-process.js';

/** What one spec file has opened: groups of servers, and connections to them. */
export class Opened {
  private readonly groups: { stop(): Promise<void> }[] = [];
  private readonly clients: { disconnect(): void }[] = [];

  /** A group that is stopped at the end of its test. */
  async group<G extends { stop(): Promise<void> }>(starting: Promise<G>): Promise<G> {
    const group = await starting;
    this.groups.push(group);
    return group;
  }

  connect(server: RedisServer, options: RedisOptions = {}): Redis {
    return this.client(new Redis({ ...server.connection, ...options }));
  }

  /** Errors on the way are what these tests provoke. */
  client<C extends { disconnect(): void; on(event: 'error', heard: () => void): unknown }>(client: C): C {
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  async closeAll(): Promise<void> {
    for (const client of this.clients.splice(0)) client.disconnect();
    await Promise.all(this.groups.splice(0).map((group) => group.stop()));
  }
}

/**
 * Stops the group, frozen members and dead ones among them, and looks for what may be left of these servers. Answers
 * undefined when there was nothing to be left.
 */
export async function leftAfterStop(
  group: { stop(): Promise<void> },
  servers: readonly RedisServer[],
): Promise<{ processes: number[]; folders: string[] } | undefined> {
  const pids = servers.flatMap(({ pid }) => pid ?? []);
  const folders = servers.flatMap(({ dataFolder }) => dataFolder ?? []);
  if (pids.length === 0 || !folders.every(existsSync)) return undefined;
  await Promise.all([group.stop(), group.stop()]);
  return { processes: pids.filter(isRunning), folders: folders.filter(existsSync) };
}

/** A field of INFO replication. */
export async function replicationField(client: Redis, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(await client.info('replication'))?.[1];
}
