import type { Redis } from 'ioredis';
import { BrokerError } from '../contract/errors.js';
import { monotonicMs } from '../runtime/clock.js';
import { toBrokerError } from './redis-errors.js';
import type { Links } from './links.js';
import { GROUP } from './keys.js';
import type { RawEntry } from './replies.js';
import { runScript } from './run-script.js';
import { scripts } from './scripts.generated.js';
import { watched } from './watchdog.js';

/** Beyond `blockMs`, how long a blocking read may stay without an answer before its link is taken for dead. */
const SILENCE_MS = 3000;

/** What one blocking read asks for. */
export interface BlockingRead {
  readonly consumer: string;
  readonly blockMs: number;
  /** Entries per stream. */
  readonly count: number;
  readonly keys: readonly string[];
  /** Control keys of the queues read. */
  readonly controls: readonly string[];
}

/** What a blocking read brought. */
export interface Found {
  /** Entries by key. */
  readonly entries: readonly (readonly [string, readonly RawEntry[]])[];
  /**
   * Eras of the queues afterwards: of those that changed, it is not known whose entries they are. None where there are
   * no entries.
   */
  readonly eras: readonly number[];
}

/** Reads streams on a link of its own, and knows when that link is dead, which the link itself does not. */
export class BlockingReader {
  /** The link that was read last, and what its server calls the connection, as long as it lasts. */
  private reading: { readonly link: Redis; readonly clientId: number } | undefined;
  /** Whether the last read waited in vain: then the next is likely to do the same. */
  private quiet = false;

  constructor(
    private readonly links: Links,
    /** A queue of those read: leads to the server. */
    private readonly queue: string,
    private readonly part: string,
  ) {}

  /**
   * `prepare` is called once the connection is there that will be read, which may be after a wait.
   * @throws BrokerError when the link breaks or Redis refuses
   */
  async read(request: BlockingRead, prepare: () => Promise<void> = () => Promise.resolve()): Promise<Found> {
    const link = await this.links.ready('blocking', this.queue, this.part);
    const connection = link.stream;
    await prepare();
    demandSame(link, connection);
    try {
      await this.learnId(link);
      const sentAt = monotonicMs();
      const found = await this.watched(link, request.blockMs, readOnce(link, request, this.quiet));
      this.links.heard(link);
      demandSame(link, connection); // else the eras may be those of a server that was not asked for its own yet
      this.quiet = found.entries.length === 0 && monotonicMs() - sentAt > request.blockMs / 2;
      return found;
    } catch (error) {
      this.links.met(link, error as Error);
      throw toBrokerError(error);
    }
  }

  /** Ends the read that waits, if one does. */
  async interrupt(): Promise<void> {
    if (!this.reading) return; // before that nothing waits
    const { clientId } = this.reading;
    const link = await this.links.ready('commands', this.queue);
    await link.client('UNBLOCK', clientId);
  }

  private async learnId(link: Redis): Promise<void> {
    if (this.reading?.link === link) return;
    this.reading = undefined;
    // In a Cluster the queue may be read elsewhere by the time that this one closes.
    link.once('close', () => {
      if (this.reading?.link === link) this.reading = undefined;
    });
    this.reading = { link, clientId: await this.watched(link, 0, link.client('ID')) };
  }

  /** A link whose other end is gone looks like a queue without tasks: judge it by its silence. */
  private watched<T>(link: Redis, blockMs: number, answer: Promise<T>): Promise<T> {
    return watched(answer, blockMs + SILENCE_MS, () => this.links.rebuild(link));
  }
}

/** @throws BrokerError when the link has another connection by now */
function demandSame(link: Redis, connection: Redis['stream']): void {
  if (link.stream === connection) return;
  throw new BrokerError('UNAVAILABLE', 'the connection was lost', { retryable: true });
}

/**
 * Both commands leave together, so that the second costs no trip: it is answered when the first is. `quiet`: the second
 * is sent when the first has brought something, which it hardly will.
 */
async function readOnce(link: Redis, request: BlockingRead, quiet: boolean): Promise<Found> {
  const { consumer, count, blockMs, keys, controls } = request;
  const streams = [...keys, ...keys.map(() => '>')];
  const askEras = (): Promise<unknown> => runScript(link, scripts.eras, controls, []);
  const reading =
    // To Redis BLOCK 0 means for ever.
    blockMs > 0
      ? link.xreadgroup('GROUP', GROUP, consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', ...streams)
      : link.xreadgroup('GROUP', GROUP, consumer, 'COUNT', count, 'STREAMS', ...streams);
  const [entries, eras] = await Promise.all([reading, quiet ? undefined : askEras()]);
  if (!entries) return { entries: [], eras: [] };
  return { entries, eras: (eras ?? (await askEras())) as number[] };
}
