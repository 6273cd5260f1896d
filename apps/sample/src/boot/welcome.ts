import { serves, works } from '../config/role.js';
import type { SampleConfig } from '../config/sample-config.js';
import { paint } from '../terminal/paint.js';

const ROLES = { producer: 'the API', worker: 'a worker', both: 'the API and a worker' };

/** Where everything is. */
export interface Whereabouts {
  readonly url: string;
  /** Product, version, mode and place of the Redis that was reached. */
  readonly redis: string;
  readonly receiverUrl: string | undefined;
}

/** What to print when the sample is up: where it is, what it reached, what it was told, and what to try next. */
export function welcome({ role, sources }: SampleConfig, { url, redis, receiverUrl }: Whereabouts): string {
  const settings = [sources.file ?? 'defaults', ...sources.variables].join(' + ');
  return [
    '',
    `  ${paint(['green', 'bold'], `The sample is up: ${ROLES[role]}`)}`,
    '',
    `    ${serves(role) ? 'HTTP  ' : 'health'}    ${url}`,
    `    Redis     ${redis}`,
    `    settings  ${settings}`,
    ...(receiverUrl ? [`    receiver  ${receiverUrl} (fails a fifth of the time, acts once per key)`] : []),
    '',
    '  What to try next:',
    '',
    ...(serves(role) ? apiExamples(url, receiverUrl) : [`    curl ${url}/health/ready`]),
    '',
    `  Ctrl-C ends it${works(role) ? ', and hands back what it cannot finish' : ''}.`,
    '',
  ].join('\n');
}

function apiExamples(url: string, receiverUrl: string | undefined): string[] {
  const movie = {
    Title: 'Alien',
    'Release Date': 'May 25 1979',
    'US Gross': 80931801,
    'Worldwide Gross': 203630630,
  };
  const broken = { ...movie, Title: 1776 };
  const hook = { url: receiverUrl ?? 'http://127.0.0.1:8080/hooks', event: 'order.paid', id: 'order-1' };
  return [
    '    # a film and a broken record: one becomes a film, the other a dead letter',
    `    ${post(`${url}/catalogue/imports`, [movie, broken])}`,
    `    curl ${url}/dead-letters/catalogue`,
    '    # thumbnails: real work for the CPU',
    `    ${post(`${url}/thumbnails`, { image: 'ffox.png', sizes: [64, 32] })}`,
    '    # a webhook, the second time recognised by its key',
    `    ${post(`${url}/webhooks`, hook, '-H "idempotency-key: order-1-paid"')}`,
    '    # what is going on',
    `    curl ${url}/queues/webhooks`,
    `    curl ${url}/health/ready`,
  ];
}

function post(url: string, body: unknown, more = ''): string {
  const words = ['curl', url, '-H "content-type: application/json"', more, `-d '${JSON.stringify(body)}'`];
  return words.filter((word) => word !== '').join(' ');
}
