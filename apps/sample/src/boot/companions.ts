import { type Role, serves } from '../config/role.js';
import { type ConfigSources, loadSampleConfig } from '../config/sample-config.js';
import type { Delivery } from '../demo/webhook-receiver.js';

/** What `--dev` brings along. */
export interface Companions {
  /** The environment, with the Redis that was started. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where the settings came from, without what was brought along. */
  readonly sources: ConfigSources;
  /** Where a receiver of webhooks listens, if one was started. */
  readonly receiverUrl: string | undefined;
  stop(): Promise<void>;
}

/**
 * Starts what a bare machine lacks: a Redis, when neither the file of settings nor the environment names one (a
 * running one of this project is used), and a receiver that webhooks can be tried on. Loaded only here, so that
 * nothing of it is needed in production.
 */
export async function startCompanions(role: Role | undefined): Promise<Companions> {
  const config = loadSampleConfig();
  const { startRedisServer } = await import('@taskq/testing');
  const redis = config.sources.namesRedis
    ? undefined
    : await startRedisServer({ mode: 'dev', listen: 'port' });
  const { WebhookReceiver } = await import('../demo/webhook-receiver.js');
  const receiver = serves(role ?? config.role) ? await WebhookReceiver.start(1, sayDelivery) : undefined;
  return {
    sources: config.sources,
    environment: redis ? { ...process.env, REDIS_URL: redis.url } : process.env,
    receiverUrl: receiver?.url,
    stop: async () => {
      await receiver?.stop();
      await redis?.stop();
    },
  };
}

function sayDelivery({ event, id, key, reception }: Delivery): void {
  console.log(`receiver: ${event} of ${id}, key ${key}: ${reception}`);
}
