import { setTimeout as delay } from 'node:timers/promises';
import type { HandlerDefinition, TaskContext, TaskProducer } from '@taskq/core';

/** What a task of type `do` is told to do. */
export interface Todo {
  /** Works for so long. */
  ms?: number;
  /** Holds up its process for so long. */
  block?: number;
  /** Works until its signal is aborted, if that comes sooner. */
  polite?: boolean;
  /** Ends its own process. */
  crash?: 'SIGKILL' | 'exit';
  /** Enqueues another task when its work is done. */
  enqueue?: Todo;
}

/** The handler of `do`, the same in every process; `say` hears when its signal is aborted and by what. */
export function performer(
  producer: TaskProducer,
  say: (aborted: { id: string; reason: string }) => void = () => undefined,
): HandlerDefinition {
  return {
    type: 'do',
    where: 'performer',
    options: { backoff: { base: 10, max: 20 } },
    run: (todo: Todo, context: TaskContext) => perform(todo, context, producer, say),
  };
}

async function perform(
  todo: Todo,
  { id, signal }: TaskContext,
  producer: TaskProducer,
  say: (aborted: { id: string; reason: string }) => void,
): Promise<void> {
  if (todo.crash === 'SIGKILL') process.kill(process.pid, 'SIGKILL');
  if (todo.crash === 'exit') process.exit(1);
  if (todo.block !== undefined) {
    const until = performance.now() + todo.block;
    while (performance.now() < until);
  }
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        say({ id, reason: String((signal.reason as Error).name) });
        resolve();
      },
      { once: true },
    );
  });
  const over = new AbortController();
  const worked = delay(todo.ms ?? 0, undefined, { signal: over.signal }).catch(() => undefined);
  await (todo.polite ? Promise.race([worked, aborted]) : worked);
  over.abort();
  if (todo.enqueue) await producer.enqueue('do', todo.enqueue);
}
