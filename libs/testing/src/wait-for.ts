import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

/** How long and how often {@link waitFor} looks. */
export interface WaitForOptions {
  /** What is awaited, for the error: "the task to be dead". */
  what: string;
  /** Default 5000. */
  timeoutMs?: number;
  /** Pause between two looks. Default 5. */
  intervalMs?: number;
}

/**
 * Looks at a fact until it is truthy and answers with it. A look that throws counts as "not yet".
 *
 * Rejects with an Error that names `what`, the time and the last thing seen (as `cause` when it was an error) once
 * `timeoutMs` have passed, also when a look itself never ends.
 */
export async function waitFor<T>(
  fact: () => T | Promise<T>,
  { what, timeoutMs = 5_000, intervalMs = 5 }: WaitForOptions,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: { value: unknown } | { error: unknown } | undefined;
  for (let looks = 1; ; looks += 1) {
    const look = await lookOnce(fact, deadline - performance.now());
    if (look !== undefined && 'value' in look && look.value) return look.value;
    last = look ?? last;
    if (look === undefined || performance.now() >= deadline) throw tooLate(what, timeoutMs, looks, last);
    await sleep(intervalMs);
  }
}

type Look<T> = { value: T } | { error: unknown };

/** One look, or undefined when it did not end in time. */
async function lookOnce<T>(fact: () => T | Promise<T>, leftMs: number): Promise<Look<T> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(leftMs, 1), undefined);
  });
  const look = (async (): Promise<Look<T>> => {
    try {
      return { value: await fact() };
    } catch (error) {
      return { error };
    }
  })();
  try {
    return await Promise.race([look, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(what: string, timeoutMs: number, looks: number, last: Look<unknown> | undefined): Error {
  const waited = `Waited ${timeoutMs} ms for ${what}, in vain (${looks} ${looks === 1 ? 'look' : 'looks'}; `;
  if (last === undefined) return new Error(`${waited}the first one did not end)`);
  if ('value' in last) return new Error(`${waited}last seen: ${inspect(last.value)})`);
  return new Error(`${waited}the last one threw: ${String(last.error)})`, { cause: last.error });
}
