import type { ResolvedRedisOptions } from '../policy/redis-options.js';
import { ClusterLinks } from './cluster-links.js';
import { endpointOf } from './endpoint.js';
import type { Links } from './links.js';
import { NodeLinks } from './node-links.js';

/** Links to whatever the options point to: one server, the primary that Sentinels name, or a Cluster. */
export function openLinks(options: ResolvedRedisOptions, random: () => number): Links {
  if (options.cluster) return new ClusterLinks(options, random);
  return new NodeLinks({ options, endpoint: endpointOf(options), random });
}
