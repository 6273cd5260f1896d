import type { Redis } from 'ioredis';

/** What `INFO` says, as far as it is of interest here; nothing where the server does not let itself be asked. */
interface Told {
  readonly run_id?: string;
  readonly master_replid?: string;
}

/** The client asks every server whether it is ready, and hands the answer to its connector alone. */
interface Insides {
  readonly connector?: { check?: (told: Told) => boolean };
}

/**
 * Tells servers apart. Each run of a server has a name of its own, and so has each line of data, which a failover
 * begins anew: by these another server is known though it has the same address, and the same one though its address
 * is another. Where neither is told, the address has to do.
 */
export class ServerIdentity {
  private readonly told = new WeakMap<Redis, string | undefined>();
  private readonly known = new WeakMap<Redis, string>();

  /** Learns what servers tell while the link is made. */
  listen(link: Redis): void {
    const { connector } = link as unknown as Insides;
    const check = connector?.check?.bind(connector);
    if (!connector || !check) return;
    connector.check = (told) => {
      this.told.set(link, told.run_id && `${told.run_id} ${told.master_replid ?? ''}`);
      return check(told);
    };
  }

  /** Whether a link that is ready leads to another server, or run of one, than when that was asked last. */
  isOther(link: Redis): boolean {
    const { remoteAddress, remotePort } = link.stream;
    const before = this.known.get(link);
    const now = this.told.get(link) ?? `${remoteAddress}:${remotePort}`;
    this.known.set(link, now);
    return before !== undefined && before !== now;
  }
}
