import { connect, createServer, type Server, type Socket } from 'node:net';
import type { RedisNode } from '@taskq/testing';

/**
 * The wire between a primary and a replica. Held up, it takes nothing more from the primary; cut, what it holds is
 * gone. Without it a replica that was stopped finds everything in the buffers of its kernel, and has missed nothing.
 */
export class ReplicationWire {
  private readonly sockets = new Set<Socket>();
  private readonly heldUp = new Set<Socket>();
  private held = false;

  private constructor(
    private readonly listener: Server,
    private readonly primary: RedisNode,
  ) {
    listener.on('connection', (replica) => this.join(replica));
  }

  static async to(primary: RedisNode): Promise<ReplicationWire> {
    const listener = createServer();
    const wire = new ReplicationWire(listener, primary);
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    return wire;
  }

  get port(): number {
    return (this.listener.address() as { port: number }).port;
  }

  /** From now on nothing reaches the replica. */
  hold(): void {
    this.held = true;
    for (const socket of this.heldUp) socket.pause();
  }

  /** Ends it, and with it whatever was on its way. */
  async cut(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.listener.close(() => resolve());
    });
  }

  private join(replica: Socket): void {
    const primary = connect(this.primary.port, this.primary.host);
    for (const socket of [replica, primary]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        primary.destroy();
        replica.destroy();
        this.sockets.delete(socket);
      });
    }
    this.heldUp.add(primary);
    replica.on('data', (bytes) => primary.write(bytes));
    primary.on('data', (bytes) => {
      replica.write(bytes);
      if (this.held) primary.pause();
    });
  }
}
