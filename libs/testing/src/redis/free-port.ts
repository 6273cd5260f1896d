import { createServer } from 'node:net';

/**
 * A TCP port on 127.0.0.1 that is free at this moment. Another process may take it before you do: retry on
 * "Address already in use", or listen on a unix socket instead. Stays below 55535, so that a cluster node's bus
 * port (port + 10000) exists.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenOnce();
    if (port < 55_535) return port;
  }
}

function listenOnce(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
