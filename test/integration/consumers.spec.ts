import { describe, expect, it } from 'vitest';
import { waitFor } from '@taskq/testing';
import { workerProgram } from './child-process.js';
import { handler, lab, lasting, QUEUE, range, watch } from './harness.js';

const here = lab();
const program = workerProgram();

describe('a consumer that was silent for long and held nothing', () => {
  it('goes on when it was removed while its process stood still', async () => {
    const engine = await here.open();
    const child = here.track(program(here.options({ worker: { lease: '10s' } })));
    const [ready] = await child.until('ready');
    await engine.producer.enqueue('do', { ms: 1 });
    await child.until('task.completed');
    const { consumer } = ready as unknown as { readonly consumer: string };
    child.signal('SIGSTOP');
    await waitFor(async () => engine.broker.removeConsumer(QUEUE, consumer), { what: 'the removal' });
    const names = (await engine.broker.listConsumers(QUEUE)).map(({ name }) => name);
    const ids: string[] = [];
    for (const _ of range(3)) ids.push((await engine.producer.enqueue('do', { ms: 1 })).id);
    await lasting(300);
    expect(names).not.toContain(consumer);

    child.signal('SIGCONT');
    await child.until('task.completed', { count: 4 });

    for (const id of ids) expect(child.of('task.started', id)).toMatchObject([{ attempt: 1 }]);
    await here.untilEmpty(engine);
  });

  it('goes on when it was removed while it waited, for tasks and for their time', async () => {
    const engine = await here.open({ worker: { block: '5s' } });
    const facts = watch(engine);
    const worker = await here.work(
      engine,
      handler('do', () => undefined),
    );
    await engine.producer.enqueue('do');
    await facts.until('task.completed');
    const remove = () => engine.broker.removeConsumer(QUEUE, worker.consumer);

    for (const options of [{}, { delay: 300 }]) {
      await waitFor(remove, { what: 'the removal' });
      const { id } = await engine.producer.enqueue('do', null, options);
      await facts.until('task.completed', { id });
    }

    expect(facts.of('task.completed')).toHaveLength(3);
  });
});
