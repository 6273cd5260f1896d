import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { SampleConfig, WebhookConfig } from '../config/sample-config.js';

/** Knows where webhooks may go, and for how long to wait there. */
@Injectable()
export class WebhookTargets {
  private readonly config: WebhookConfig;

  constructor(config: ConfigService<SampleConfig, true>) {
    this.config = config.get('webhooks', { infer: true });
  }

  get requestTimeoutMs(): number {
    return this.config.requestTimeoutMs;
  }

  /** Whether webhooks may be sent to this URL. */
  allows(url: unknown): boolean {
    const host = typeof url === 'string' && URL.canParse(url) ? new URL(url).hostname : undefined;
    return host !== undefined && this.config.hosts.includes(host);
  }
}
