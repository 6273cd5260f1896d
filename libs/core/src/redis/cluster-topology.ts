import { SLOTS } from '../contract/hash-slot.js';
import { addressText } from './endpoint.js';

/** The host of a node that is to be called by its name and has none (`cluster-preferred-endpoint-type hostname`). */
const UNNAMED = '?';

/** A node in an answer of `CLUSTER SLOTS`: host, port, id, and by names and values in turn where else it is. */
type Told = readonly [host: string | null, port: number, id?: string, elsewhere?: unknown];

/** Which server has which slots: what `CLUSTER SLOTS` says, and what redirections have said since. */
export class ClusterTopology {
  private readonly owners: (string | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

  /** `host:port` of the primary that has the slot, as far as is known. */
  ownerOf(slot: number): string | undefined {
    return this.owners[slot];
  }

  /** `host:port` of every primary that has slots. */
  get primaries(): ReadonlySet<string> {
    return new Set(this.owners.filter((owner) => owner !== undefined));
  }

  /** The slots that nobody has, as ranges: `0-5460`. */
  get unowned(): readonly string[] {
    const ranges: string[] = [];
    for (let from = 0; from < SLOTS; from += 1) {
      if (this.owners[from] !== undefined) continue;
      let to = from;
      while (to + 1 < SLOTS && this.owners[to + 1] === undefined) to += 1;
      ranges.push(`${from}-${to}`);
      from = to;
    }
    return ranges;
  }

  /**
   * Takes over an answer of `CLUSTER SLOTS`. A slot that nobody claims keeps its owner: it is between two.
   * @param askedHost host of the server that answered: the one meant where it says nothing of a host
   */
  replace(reply: unknown, askedHost: string): void {
    for (const [from, to, primary] of reply as [number, number, Told][]) {
      const owner = addressText(hostOf(primary, askedHost), primary[1]);
      for (let slot = from; slot <= to; slot += 1) this.owners[slot] = owner;
    }
  }

  /** Takes over a redirection: `MOVED 3999 127.0.0.1:6381`. Answers whether the text was one. */
  redirect(message: string, askedHost: string): boolean {
    const match = /^MOVED (\d+) (.*):(\d+)$/.exec(message);
    if (!match || match[2] === UNNAMED) return false;
    this.owners[Number(match[1])] = addressText(match[2] || askedHost, Number(match[3]));
    return true;
  }
}

/** Where a node says nothing of a host, the one that was asked is meant. */
function hostOf([host, , , elsewhere]: Told, askedHost: string): string {
  if (host !== UNNAMED) return host || askedHost;
  const known = Array.isArray(elsewhere) ? (elsewhere as string[]) : [];
  const ip = known.findIndex((word, i) => i % 2 === 0 && word === 'ip');
  return (ip >= 0 && known[ip + 1]) || askedHost;
}
