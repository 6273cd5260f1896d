import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';

/**
 * Below the range from which Linux (32768 on) and macOS (49152 on) take the ports of outgoing connections. A server
 * that is killed and restarted must find its port free: a client that tries again and again to reach a dead port in
 * that range can be given this very port for its own end, and connect to itself.
 */
const LOWEST_PORT = 10_000;
const PORTS = 10_000;
/** A cluster node talks to the others on its port plus this. */
const BUS_OFFSET = 10_000;
const TRIES = 200;

/** A port on 127.0.0.1 for a server that others know by it; with its bus port where that is needed. Free just now. */
export async function memberPort(withBus: boolean): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = LOWEST_PORT + randomInt(PORTS);
    if ((await isFree(port)) && (!withBus || (await isFree(port + BUS_OFFSET)))) return port;
  }
  throw new RedisServerUnavailableError(
    `No free port for a Redis server was found on 127.0.0.1 between ${LOWEST_PORT} and ${LOWEST_PORT + PORTS}`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
