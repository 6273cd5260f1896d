import type { EnqueueResult } from '@taskq/nestjs';
import type { QueueState, Repeats } from './evidence.js';
import type { DemoRequest } from './inputs.js';
import type { LedgerFiles } from './ledger-files.js';

const QUEUES = ['catalogue', 'thumbnails', 'webhooks'];
const REQUEST_TIMEOUT_MS = 10_000;

interface Counts {
  readonly ready: Readonly<Record<string, number>>;
  readonly active: number;
  readonly scheduled: number;
  readonly dead: number;
}

interface Letter {
  readonly id: string;
  readonly entryId: string;
  readonly reason: string;
}

/** A caller of the API that knows nothing but HTTP, and notes what it was told. */
export class ApiCaller {
  constructor(
    private readonly url: string,
    private readonly ledger: LedgerFiles,
  ) {}

  /** Sends a request whose tasks are new, and notes them as accepted. */
  async send(request: DemoRequest): Promise<readonly EnqueueResult[]> {
    const results = await this.post(request);
    const accepted = results.filter(({ status }) => status === 'accepted');
    if (accepted.length !== request.tasks) throw new Error(`${request.path} did not accept ${request.key}`);
    this.ledger.accept(accepted.map(({ id }) => ({ id, queue: request.queue })));
    return results;
  }

  /** Sends requests that were sent before; counts the tasks that the API answers `status` for. */
  async repeat(requests: readonly DemoRequest[], status: EnqueueResult['status']): Promise<Repeats> {
    let sent = 0;
    let recognised = 0;
    for (const request of requests) {
      const results = await this.post(request);
      sent += request.tasks;
      recognised += results.filter((result) => result.status === status).length;
      // Should it have been taken for a new one, it is a task like every other.
      const accepted = results.filter((result) => result.status === 'accepted');
      this.ledger.accept(accepted.map(({ id }) => ({ id, queue: request.queue })));
    }
    return { sent, recognised };
  }

  /** What Redis holds, by queue. */
  states(): Promise<QueueState[]> {
    return Promise.all(
      QUEUES.map(async (queue) => {
        const { dead } = await this.counts(queue);
        return {
          queue,
          dead,
          unfinished: await this.unfinishedIn(queue),
          deadLetters: await this.deadLetters(queue),
        };
      }),
    );
  }

  /** How many tasks are ready, active or scheduled in all queues. */
  async unfinished(): Promise<number> {
    const counts = await Promise.all(QUEUES.map((queue) => this.unfinishedIn(queue)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  private counts(queue: string): Promise<Counts> {
    return this.get<Counts>(`/queues/${queue}`);
  }

  private async unfinishedIn(queue: string): Promise<number> {
    const { ready, active, scheduled } = await this.counts(queue);
    return Object.values(ready).reduce((sum, count) => sum + count, active + scheduled);
  }

  private async deadLetters(queue: string): Promise<readonly Letter[]> {
    const letters: Letter[] = [];
    for (;;) {
      const after = letters.at(-1)?.entryId ?? '';
      const page = await this.get<Letter[]>(`/dead-letters/${queue}?limit=100&after=${after}`);
      letters.push(...page);
      if (page.length === 0) return letters;
    }
  }

  private async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path, {});
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  private async post({ path, key, body }: DemoRequest): Promise<readonly EnqueueResult[]> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const response = await this.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = (await response.json()) as EnqueueResult & { tasks?: readonly EnqueueResult[] };
    if (response.status !== 202 && response.status !== 409) {
      throw new Error(`POST ${path} answered ${response.status}: ${JSON.stringify(answer)}`);
    }
    return answer.tasks ?? [answer];
  }

  private fetch(path: string, init: RequestInit): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  }
}
