import { describe, expect, it } from 'vitest';
import { waitFor } from './wait-for.js';

describe('waitFor', () => {
  it('answers with the first truthy fact', async () => {
    let looks = 0;
    const fact = () => (++looks < 3 ? undefined : { looks });

    expect(await waitFor(fact, { what: 'three looks', intervalMs: 1 })).toEqual({ looks: 3 });
  });

  it('names what it waited for and the last thing it saw', async () => {
    const waiting = waitFor(() => 0, { what: 'the queue to fill', timeoutMs: 10 });

    await expect(waiting).rejects.toThrow(/Waited 10 ms for the queue to fill, in vain \(.* last seen: 0\)/);
  });

  it('takes an error for "not yet", and gives the last one as the cause', async () => {
    let looks = 0;
    const recovering = waitFor(
      () => {
        if (++looks === 1) throw new Error('not connected');
        return 'up';
      },
      { what: 'Redis' },
    );
    expect(await recovering).toBe('up');

    const cause = new Error('not connected');
    const failing = waitFor(() => Promise.reject(cause), { what: 'Redis', timeoutMs: 10 });
    await expect(failing).rejects.toMatchObject({ cause });
  });

  it('keeps its deadline when a look never ends', async () => {
    const waiting = waitFor(() => new Promise<never>(() => {}), { what: 'a reply', timeoutMs: 10 });

    await expect(waiting).rejects.toThrow(/for a reply, in vain .*did not end/);
  });
});
