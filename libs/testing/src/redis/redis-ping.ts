import { connect, type NetConnectOpts } from 'node:net';

/** Where something may listen. */
export type PingTarget = { path: string } | { host: string; port: number };

/**
 * Whether a Redis answers there, asked with one bare PING over a plain socket: no authentication, no client state.
 * A server that wants a password or still loads its data is a Redis, too: `refused`.
 */
export function pingRedis(target: PingTarget, timeoutMs: number): Promise<'pong' | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect(target as NetConnectOpts);
    const end = (verdict: 'pong' | 'refused' | 'silent'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(verdict);
    };
    const timer = setTimeout(end, timeoutMs, 'silent');
    socket.once('error', () => end('silent'));
    socket.once('close', () => end('silent'));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (reply) => {
      const text = reply.toString('latin1');
      if (text.startsWith('+PONG')) end('pong');
      else end(/^-(NOAUTH|LOADING|NOPERM|MASTERDOWN|DENIED)/.test(text) ? 'refused' : 'silent');
    });
  });
}
