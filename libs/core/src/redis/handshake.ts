import type { Redis } from 'ioredis';

/**
 * Longest time between a connection and its first answers: a server that is frozen, or one behind a wire that is cut
 * in one direction, still accepts connections, since its kernel does.
 */
const HANDSHAKE_TIMEOUT_MS = 3000;

/** What a client's own connector has that is needed here: nothing else tells it. */
interface Insides {
  readonly connector?: {
    readonly failoverDetector?: { readonly sentinels?: readonly { readonly client: Redis }[] } | null;
  };
}

/** What a link must hold to while it is being made, and its client does not see to. */
export function guardHandshake(link: Redis): void {
  link.on('connect', () => hushSentinels(link));
  limitHandshake(link);
  refuseOtherDatabase(link);
}

/**
 * The client listens to every Sentinel for failovers, and nobody to what these listeners have to say of one that is
 * down: then ioredis prints it, again and again. Nothing depends on that one.
 */
function hushSentinels(link: Redis): void {
  const { connector } = link as unknown as Insides;
  for (const { client } of connector?.failoverDetector?.sentinels ?? []) client.on('error', () => undefined);
}

/** Ends a connection that was made but not answered. */
function limitHandshake(link: Redis): void {
  let timeout: NodeJS.Timeout | undefined;
  link.on('connect', () => {
    timeout = setTimeout(() => link.disconnect(true), HANDSHAKE_TIMEOUT_MS);
  });
  for (const event of ['ready', 'close'] as const) link.on(event, () => clearTimeout(timeout));
}

/**
 * Where the database that was asked for cannot be had, the client tells of it and goes on in the first one: tasks
 * would be written, and looked for, where nobody meant them to be.
 */
function refuseOtherDatabase(link: Redis): void {
  link.on('error', (error: { readonly command?: { readonly name?: string } }) => {
    if (error.command?.name === 'select') link.disconnect(true);
  });
}
