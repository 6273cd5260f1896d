import { UNREADABLE_IMAGE } from './images.js';
import { isBroken, type RawMovie } from './movies.js';
import { REFUSED_EVENT } from './webhook-receiver.js';

/** A request that the demo sends, with its own `Idempotency-Key`. */
export interface DemoRequest {
  readonly path: '/catalogue/imports' | '/thumbnails' | '/webhooks';
  readonly queue: 'catalogue' | 'thumbnails' | 'webhooks';
  readonly key: string;
  readonly body: unknown;
  /** How many tasks it asks for. */
  readonly tasks: number;
}

/** Everything that is sent, and what is known about it beforehand. */
export interface DemoInput {
  readonly requests: readonly DemoRequest[];
  /** Some of the requests once more: each of their tasks must be recognised. */
  readonly repeats: readonly DemoRequest[];
  /** Keys of earlier requests with another body: each must be refused. */
  readonly conflicts: readonly DemoRequest[];
  readonly mustDie: Readonly<Record<string, number>>;
}

/** How much is sent. */
export interface DemoSize {
  readonly movies: number;
  readonly thumbnails: number;
  readonly webhooks: number;
}

/** Sizes of every thumbnail order. */
export const SIZES = [512, 256, 96];

const BATCH = 50;
const EVENTS = ['order.created', 'order.paid', 'order.shipped'];
/** One webhook in so many is for an event that its receiver refuses. */
const REFUSED_EVERY = 20;
/** One thumbnail order in so many is for a file that is no image. */
const UNREADABLE_EVERY = 12;

/** Prepares the input: records as they are in the data set, orders for thumbnails, webhooks, evenly mixed. */
export function demoInput(
  movies: readonly RawMovie[],
  images: readonly string[],
  hooks: string,
  size: DemoSize,
): DemoInput {
  const records = movies.slice(0, size.movies);
  const imports = importRequests(records);
  const thumbnails = Array.from({ length: size.thumbnails }, (_, n) => thumbnailRequest(n, images));
  const webhooks = Array.from({ length: size.webhooks }, (_, n) => webhookRequest(n, hooks));
  const repeats = [...imports.slice(0, 1), ...thumbnails.slice(0, 1), ...webhooks.slice(0, 3)];
  const conflicts = webhooks.slice(0, 1).map((request) => ({
    ...request,
    body: { ...(request.body as object), event: 'order.cancelled' },
  }));
  return {
    requests: mixed([imports, thumbnails, webhooks]),
    repeats,
    conflicts,
    mustDie: {
      'invalid-payload': records.filter(isBroken).length,
      'non-retryable':
        Math.floor(size.webhooks / REFUSED_EVERY) + Math.floor(size.thumbnails / UNREADABLE_EVERY),
    },
  };
}

/** A webhook for an event of one's own choice. */
export function webhook(id: string, event: string, url: string): DemoRequest {
  return { path: '/webhooks', queue: 'webhooks', key: `webhook-${id}`, body: { url, event, id }, tasks: 1 };
}

function importRequests(records: readonly RawMovie[]): DemoRequest[] {
  return Array.from({ length: Math.ceil(records.length / BATCH) }, (_, n) => {
    const body = records.slice(n * BATCH, (n + 1) * BATCH);
    return { path: '/catalogue/imports', queue: 'catalogue', key: `import-${n}`, body, tasks: body.length };
  });
}

function thumbnailRequest(n: number, images: readonly string[]): DemoRequest {
  const unreadable = n % UNREADABLE_EVERY === UNREADABLE_EVERY - 1;
  const body = { image: unreadable ? UNREADABLE_IMAGE : images[n % images.length], sizes: SIZES };
  return { path: '/thumbnails', queue: 'thumbnails', key: `thumbnail-${n}`, body, tasks: 1 };
}

function webhookRequest(n: number, url: string): DemoRequest {
  const refused = n % REFUSED_EVERY === REFUSED_EVERY - 1;
  const event = refused ? REFUSED_EVENT : EVENTS[n % EVENTS.length]!;
  return webhook(`order-${n}`, event, url);
}

/** One list of several, each spread evenly over it. */
function mixed(lists: readonly (readonly DemoRequest[])[]): DemoRequest[] {
  return lists
    .flatMap((list) => list.map((request, n) => ({ request, at: (n + 0.5) / list.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ request }) => request);
}
