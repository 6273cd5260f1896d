import type { Slicing } from './pipe.js';
import type { Fault } from './rules.js';

/** Where bytes go. */
export type Direction = 'toServer' | 'toClient';

/** Which way a fault works. */
export type Directions = Direction | 'both';

/** Which connections a fault of the wire is about. */
export interface WireFaultOptions {
  /** Name of the client: `taskq:blocking`. Default: every connection, from its first byte on. */
  link?: string;
  /** Default `'both'`. */
  direction?: Directions;
}

/** What a fault of the wire has to know about a connection. */
export interface Wired {
  readonly name: string;
}

interface WireFault {
  readonly link: string | undefined;
  readonly direction: Directions;
  /** The connections it is about, when it is not about later ones. */
  readonly only?: ReadonlySet<Wired> | undefined;
}

interface Latency extends WireFault {
  readonly ms: number;
  readonly jitterMs: number;
}

/** What is wrong with the wire as such, whatever goes over it. */
export class Wire {
  frozen = false;
  private readonly latencies = new Set<Latency>();
  private readonly slicings = new Set<WireFault & Slicing>();
  private readonly holes = new Set<WireFault>();

  /** `random` decides about jitter; without it there can be none. */
  constructor(private readonly random: (() => number) | undefined) {}

  addLatency(ms: number, options: WireFaultOptions & { jitterMs?: number }): Fault {
    const { jitterMs = 0 } = options;
    if (jitterMs > 0 && !this.random)
      throw new Error('jitter needs a source of chance: start(…, { random })');
    return kept(this.latencies, { ...scope(options), ms, jitterMs });
  }

  addSlicing(slicing: Slicing, options: WireFaultOptions): Fault {
    if (!(slicing.bytes >= 1)) throw new Error('a slice is one byte at least');
    return kept(this.slicings, { ...scope(options), ...slicing });
  }

  addHole(options: WireFaultOptions, only: ReadonlySet<Wired> | undefined): Fault {
    return kept(this.holes, { ...scope(options), only });
  }

  /** How long what is sent now takes. */
  latencyMs(link: Wired, direction: Direction): number {
    let ms = 0;
    for (const fault of this.latencies) {
      if (concerns(fault, link, direction)) ms += fault.ms + fault.jitterMs * (this.random?.() ?? 0);
    }
    return ms;
  }

  /** In which slices bytes arrive; the latest order counts. */
  slicing(link: Wired, direction: Direction): Slicing | undefined {
    let last: Slicing | undefined;
    for (const fault of this.slicings) if (concerns(fault, link, direction)) last = fault;
    return last;
  }

  swallows(link: Wired, direction: Direction): boolean {
    for (const hole of this.holes) if (concerns(hole, link, direction)) return true;
    return false;
  }

  clear(): void {
    this.frozen = false;
    this.latencies.clear();
    this.slicings.clear();
    this.holes.clear();
  }
}

function scope({ link, direction = 'both' }: WireFaultOptions): WireFault {
  return { link, direction };
}

function concerns({ link, direction, only }: WireFault, wired: Wired, way: Direction): boolean {
  return (
    (direction === 'both' || direction === way) &&
    (only === undefined ? link === undefined || link === wired.name : only.has(wired))
  );
}

function kept<T>(faults: Set<T>, fault: T): Fault {
  faults.add(fault);
  return { remove: () => void faults.delete(fault) };
}
