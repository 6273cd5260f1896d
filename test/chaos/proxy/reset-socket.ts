import type { Socket } from 'node:net';

/**
 * Lets go of a connection by RST, also one that is on its way to its end. In good order when that end is being sent at
 * this moment: libuv refuses to reset a connection then, Node.js takes it for closing all the same, and the process
 * waits for it for ever, busily, when it exits (Node.js 20.20).
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
