import type { Redis } from 'ioredis';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import { sleep, systemClock } from '../runtime/clock.js';
import { addressText } from './endpoint.js';
import type { Links } from './links.js';
import { readServerFacts, type ServerFacts } from './server-check.js';
import { demandFit, shortcomings } from './server-demands.js';

/** How long a failover may take to come to rest: roles and replicas are not yet what they will be. */
const SETTLED_MS = 2000;

/** Pause between two looks at a server that is unfit, which somebody may mend, or that did not answer. */
const LOOK_AGAIN_MS = 10_000;

export interface ServerWatchParts {
  readonly links: Links;
  readonly options: ResolvedEngineOptions;
  readonly warn: (message: string) => void;
}

/** What is being found out of the server that a link has reached. */
interface Look {
  readonly over: AbortController;
  /** What the options would have refused at the start. */
  unfit: readonly string[];
}

/**
 * Holds servers against what the options demand. One that is unfit at the start is refused. One that is reached later,
 * after a failover, a restart or a change of a Cluster, is told of and used all the same: the tasks are there and must
 * be worked on, and to refuse it would stop every queue at the moment that it has survived a failover.
 */
export class ServerWatch {
  private readonly looks = new Map<Redis, Look>();
  /** What was warned of, by run of a server. */
  private readonly told = new Set<string>();
  private forget: () => void = () => undefined;

  constructor(private readonly parts: ServerWatchParts) {}

  /**
   * The first look, at every server; from then on each that is reached is looked at, beside the work.
   * @throws RedisUnusableError when one is unfit and the options say to refuse it
   */
  async begin(): Promise<readonly ServerFacts[]> {
    const { links, options, warn } = this.parts;
    const servers = links.servers();
    const found = await Promise.all(servers.map(readServerFacts));
    const warnings = new Set<string>(); // each once, however many nodes it is true of
    for (const [i, facts] of found.entries()) {
      demandFit(links.target, facts, options, (warning) => void warnings.add(warning));
      for (const reason of shortcomings(facts, options).warned) this.isNews(servers[i]!, facts, reason);
    }
    for (const warning of warnings) warn(warning);
    this.forget = links.onArrival((link) => this.arrived(link));
    return found;
  }

  /**
   * What is wrong with servers reached since the start that the options would have refused then. Of one that was not
   * asked yet nothing is known, and so nothing is wrong.
   */
  get unfit(): readonly string[] {
    return [...this.looks.values()].flatMap((look) => look.unfit);
  }

  close(): void {
    this.forget();
    for (const { over } of this.looks.values()) over.abort();
  }

  /** What was known of the link's server may have been another's. */
  private arrived(link: Redis): void {
    this.looks.get(link)?.over.abort();
    const look: Look = { over: new AbortController(), unfit: [] };
    this.looks.set(link, look);
    this.lookUntilFit(link, look)
      .catch(() => undefined) // nobody waits for it, and work goes on whatever becomes of a look
      .finally(() => this.looks.get(link) === look && this.looks.delete(link));
  }

  private async lookUntilFit(link: Redis, look: Look): Promise<void> {
    const { signal } = look.over;
    await sleep(systemClock, SETTLED_MS, signal);
    while (!signal.aborted && this.parts.links.servers().includes(link)) {
      const facts = await readServerFacts(link).catch(() => undefined);
      if (signal.aborted) return;
      if (facts) look.unfit = this.judge(link, facts);
      if (facts && look.unfit.length === 0) return;
      await sleep(systemClock, LOOK_AGAIN_MS, signal);
    }
  }

  /** Warns of what is news; answers what the options would have refused. */
  private judge(link: Redis, facts: ServerFacts): readonly string[] {
    const { refused, warned } = shortcomings(facts, this.parts.options);
    const place = this.placeOf(link);
    for (const reason of [...refused, ...warned])
      if (this.isNews(link, facts, reason)) this.parts.warn(`Redis at ${place}: ${reason}`);
    return refused.map((reason) => `Redis at ${place}: ${reason}`);
  }

  /** Whether that was not said of this run of the server, on whichever link; of one without a name, of its address. */
  private isNews(link: Redis, { runId }: ServerFacts, reason: string): boolean {
    const news = `${runId ?? addressOf(link) ?? ''} ${reason}`;
    if (this.told.has(news)) return false;
    this.told.add(news);
    return true;
  }

  /** Which server it is by now, and how it was found: its address alone may be one that nobody has configured. */
  private placeOf(link: Redis): string {
    const { target } = this.parts.links;
    const address = addressOf(link);
    return address === undefined || address === target ? target : `${address} (${target})`;
  }
}

/** Where the link leads; nothing where that is a socket file. */
function addressOf({ stream }: Redis): string | undefined {
  const { remoteAddress, remotePort } = stream;
  return remoteAddress === undefined ? undefined : addressText(remoteAddress, remotePort!);
}
