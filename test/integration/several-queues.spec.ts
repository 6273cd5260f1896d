import { expect, it } from 'vitest';
import { handler, lab, lasting, QUEUE, range, watch } from './harness.js';

const here = lab();

it('lets no queue wait for the end of a read that waits for the others', async () => {
  const engine = await here.open({ worker: { block: '2s' } });
  const facts = watch(engine);
  await here.work(
    engine,
    ...[QUEUE, 'other', 'third'].map((queue) => handler('a', () => undefined, { queue })),
  );
  // One after the other, each at another moment after its queue has fallen empty again.
  for (const n of range(40)) {
    const { id } = await engine.producer.enqueue('a', n, { queue: QUEUE });
    await facts.until('task.completed', { id });
    await lasting(n % 20);
  }

  expect(Math.max(...facts.of('task.started').map(({ waitMs }) => waitMs ?? 0))).toBeLessThan(500);
});
