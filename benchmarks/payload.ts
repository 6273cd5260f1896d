/** What every task carries: about 80 bytes as JSON, or about 2 KB with `text`. */
export interface BenchPayload {
  /** Number of the task within its trial. */
  readonly n: number;
  readonly to: string;
  readonly template: string;
  readonly text?: string;
}

export type PayloadSize = 'small' | '2k';

const TEXT = Array.from({ length: 130 }, (_, i) => `line ${String(i).padStart(3, '0')} text`).join(' ');

/** The payload of a task. */
export function payloadOf(n: number, size: PayloadSize = 'small'): BenchPayload {
  const payload = { n, to: 'someone@example.com', template: 'order-confirmation' };
  return size === 'small' ? payload : { ...payload, text: TEXT };
}

/** Payloads with the numbers from `first` on. */
export function payloadsOf(first: number, count: number, size: PayloadSize = 'small'): BenchPayload[] {
  return Array.from({ length: count }, (_, i) => payloadOf(first + i, size));
}
