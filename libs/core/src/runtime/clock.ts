/** A clock whose zero means nothing: for deadlines and lengths of time inside this process. Milliseconds. */
export function monotonicMs(): number {
  return performance.now();
}

/** Resolves after `ms`, or at once when the signal is or becomes aborted. The timer does not outlive the wait. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
