import { afterEach, describe, expect, it } from 'vitest';
import { fateOf, REFUSED_EVENT, WebhookReceiver } from './webhook-receiver.js';

const receivers: WebhookReceiver[] = [];

afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
});

async function start(seed: number): Promise<WebhookReceiver> {
  const receiver = await WebhookReceiver.start(seed);
  receivers.push(receiver);
  return receiver;
}

/** Delivers and answers the status; 0 when there is no answer. */
async function deliver(
  receiver: WebhookReceiver,
  key: string,
  id: string,
  event = 'order.paid',
): Promise<number> {
  try {
    const response = await fetch(receiver.url, {
      method: 'POST',
      headers: { 'idempotency-key': key },
      body: JSON.stringify({ event, id }),
      signal: AbortSignal.timeout(300),
    });
    return response.status;
  } catch {
    return 0;
  }
}

describe('fateOf', () => {
  const fates = (seed: number) => Array.from({ length: 2000 }, (_, n) => fateOf(seed, `order-${n}`, 1));

  it('is failure a fifth of the time, and now and then to be busy or mute', () => {
    const count = (fate: string) => fates(1).filter((one) => one === fate).length;

    expect(count('broken') / 2000).toBeCloseTo(0.2, 1);
    expect(count('busy') / 2000).toBeCloseTo(0.04, 1);
    expect(count('mute') / 2000).toBeCloseTo(0.04, 1);
    expect(count('busy')).toBeGreaterThan(0);
    expect(count('mute')).toBeGreaterThan(0);
  });

  it('is the same in every run, and another for another seed or delivery', () => {
    expect(fates(1)).toEqual(fates(1));
    expect(fates(1)).not.toEqual(fates(2));
    expect(Array.from({ length: 50 }, (_, n) => fateOf(1, 'order-1', n))).toContain('taken');
  });
});

describe('WebhookReceiver', () => {
  it('acts once per key', async () => {
    const receiver = await start(1);
    let status = 0;
    while (status !== 200) status = await deliver(receiver, 'key-1', 'order-1');
    expect(await deliver(receiver, 'key-1', 'order-1')).toBe(200);

    expect([...receiver.takenKeys]).toEqual(['key-1']);
    expect(receiver.deliveries.at(-1)?.reception).toBe('repeated');
  });

  it('never takes the event that it refuses', async () => {
    const receiver = await start(1);

    for (let n = 0; n < 5; n += 1) expect(await deliver(receiver, 'k', 'account-1', REFUSED_EVENT)).toBe(410);
    expect(receiver.takenKeys.size).toBe(0);
  });
});
