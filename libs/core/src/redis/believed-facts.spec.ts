import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { BelievedFacts } from './believed-facts.js';
import type { ServerFacts } from './server-check.js';

const LINK = {} as Redis;

/** A server whose answers the test gives, under a clock that the test moves. */
function server() {
  const asked: { answer: (replicas: number) => void; fail: (error: Error) => void }[] = [];
  const clock = { now: 0 };
  const facts = new BelievedFacts(
    () =>
      new Promise((answer, fail) => {
        asked.push({ answer: (replicas) => answer({ replicas } as ServerFacts), fail });
      }),
    () => clock.now,
  );
  const replicas = async (): Promise<number> => (await facts.of(LINK)).replicas;
  return { asked, clock, facts, replicas };
}

/** Lets everything happen that needs no answer. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('BelievedFacts', () => {
  it('asks once for all who come together, and nobody for a second after that', async () => {
    const { asked, clock, replicas } = server();
    const first = [replicas(), replicas(), replicas()];
    asked[0]!.answer(1);

    expect(await Promise.all(first)).toEqual([1, 1, 1]);
    clock.now = 999;
    expect(await replicas()).toBe(1);
    expect(asked).toHaveLength(1);
  });

  it('asks anew beside whoever comes in the next second, and lets nobody wait', async () => {
    const { asked, clock, replicas } = server();
    const first = replicas();
    asked[0]!.answer(1);
    await first;
    clock.now = 1500;

    expect(await Promise.all([replicas(), replicas()])).toEqual([1, 1]);
    expect(asked).toHaveLength(2);
    asked[1]!.answer(0);
    await turn();
    expect(await replicas()).toBe(0);
    expect(asked).toHaveLength(2);
  });

  it('believes nothing for longer than two seconds, counted from when it was asked', async () => {
    const { asked, clock, replicas } = server();
    const first = replicas();
    clock.now = 600; // the answer took its time
    asked[0]!.answer(1);
    await first;
    clock.now = 2000;
    let answered: number | undefined;
    const next = replicas().then((said) => (answered = said));
    await turn();

    expect(answered).toBeUndefined();
    asked[1]!.answer(0);
    expect(await next).toBe(0);
  });

  it('goes on believing while it cannot be asked, but not for longer', async () => {
    const { asked, clock, replicas } = server();
    const first = replicas();
    asked[0]!.answer(1);
    await first;
    clock.now = 1500;
    expect(await replicas()).toBe(1);
    asked[1]!.fail(new Error('no answer'));
    await turn();
    clock.now = 2100;
    const late = replicas();
    asked[2]!.fail(new Error('no answer either'));

    await expect(late).rejects.toThrow('no answer either');
  });

  it('forgets: what was being asked then is answered, and not believed afterwards', async () => {
    const { asked, facts, replicas } = server();
    const old = replicas();
    facts.forget(LINK);
    const next = replicas();
    expect(asked).toHaveLength(2);
    asked[1]!.answer(0);
    expect(await next).toBe(0);
    asked[0]!.answer(1);

    expect(await old).toBe(1);
    expect(await replicas()).toBe(0);
  });

  it('asks now when that is wanted, and believes the answer', async () => {
    const { asked, facts, replicas } = server();
    const first = replicas();
    asked[0]!.answer(0);
    await first;
    const anew = facts.anew(LINK);
    asked[1]!.answer(1);
    await anew;

    expect(await replicas()).toBe(1);
    expect(asked).toHaveLength(2);
  });
});
