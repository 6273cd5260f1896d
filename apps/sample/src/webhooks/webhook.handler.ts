import { Injectable } from '@nestjs/common';
import { NonRetryableError, type TaskContext, TaskHandler } from '@taskq/nestjs';
import { deliverWebhook } from './deliver-webhook.contract.js';
import { failureOf } from './receiver-failure.js';
import type { WebhookDto } from './webhook.dto.js';
import { WebhookTargets } from './webhook-targets.js';

/** Delivers webhooks: at least once, and recognisable when it is more than once. */
@Injectable()
export class WebhookHandler {
  constructor(private readonly targets: WebhookTargets) {}

  @TaskHandler(deliverWebhook)
  async deliver(webhook: WebhookDto, context: TaskContext): Promise<void> {
    // Looked at again here: what is in Redis may have been written by others.
    if (!this.targets.allows(webhook.url))
      throw new NonRetryableError('webhooks may not be sent to this host');
    const response = await this.post(webhook, context);
    await response.body?.cancel();
    if (!response.ok) throw failureOf(response.status, response.headers.get('retry-after'), Date.now());
  }

  /** Ends the request when the receiver hangs, and at once when the task must stop. */
  private async post({ url, event, id }: WebhookDto, context: TaskContext): Promise<Response> {
    // Not AbortSignal.any(): on Node 20 a timeout signal inside it may be collected, and then it never fires.
    const ending = new AbortController();
    const stop = (): void => ending.abort(context.signal.reason);
    context.signal.addEventListener('abort', stop, { once: true });
    const { requestTimeoutMs } = this.targets;
    const timeout = setTimeout(
      () => ending.abort(new DOMException(`no answer within ${requestTimeoutMs} ms`, 'TimeoutError')),
      requestTimeoutMs,
    );
    try {
      return await fetch(url, {
        method: 'POST',
        redirect: 'manual', // a redirect would lead past the list of hosts
        headers: {
          'content-type': 'application/json',
          // The same for every attempt: a receiver that has seen it need not act again.
          'idempotency-key': context.id,
          'x-attempt': String(context.attempt),
        },
        body: JSON.stringify({ event, id }),
        signal: ending.signal,
      });
    } finally {
      clearTimeout(timeout);
      context.signal.removeEventListener('abort', stop);
    }
  }
}
