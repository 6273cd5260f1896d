import { Redis } from '../run/redis.js';
import type { Site } from './contender.js';

/** A key, and the server that has it. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/** The key of that name; of a Cluster, one key per partition, on its primaries in turn. */
export async function placesIn(site: Site, name: string): Promise<readonly Place[]> {
  const { host, port, partitions } = site;
  return partitions === undefined ? [{ host, port, key: name }] : spread(site, partitions, name);
}

async function spread(site: Site, count: number, name: string): Promise<readonly Place[]> {
  const node = new Redis({ host: site.host, port: site.port });
  const primaries = await node.cluster('SLOTS');
  const places: Place[] = [];
  for (let n = 0; places.length < count; n += 1) {
    const [from, to, address] = primaries[places.length % primaries.length]!;
    const key = `${name}:{${n}}`;
    const slot = await node.cluster('KEYSLOT', key);
    if (slot >= from && slot <= to)
      places.push({ host: String(address![0]), port: Number(address![1]), key });
  }
  node.disconnect();
  return places;
}
