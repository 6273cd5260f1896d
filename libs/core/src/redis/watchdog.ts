/**
 * Waits for an answer, and calls `silent` when there is none after `limitMs`; goes on waiting, since what that does to
 * the link ends the command. When this process itself was held up, the answer is there by then and only waits to be
 * read, so it gets the chance.
 */
export async function watched<T>(answer: Promise<T>, limitMs: number, silent: () => void): Promise<T> {
  let answered = false;
  const watchdog = setTimeout(() => setImmediate(() => setImmediate(() => answered || silent())), limitMs);
  try {
    return await answer;
  } finally {
    answered = true;
    clearTimeout(watchdog);
  }
}
