import type { LossFact, TaskEvents, TaskFact } from '@taskq/core';
import type { NestLoggerAdapter } from './nest-logger.adapter.js';

/** Failures of this kind are many when they come: said once per queue, type and version. */
const saidOnce = (say: (message: string) => void): ((key: string, message: string) => void) => {
  const said = new Set<string>();
  return (key, message) => {
    if (said.has(key) || said.size >= 1000) return;
    said.add(key);
    say(message);
  };
};

/**
 * Writes what goes wrong with tasks to the log: type, id, attempt and the error, never a payload. A task that will be
 * tried again is a warning, one that is dead an error with the stack.
 */
export function logTasks(events: TaskEvents, logger: NestLoggerAdapter): void {
  const warnOnce = saidOnce((message) => logger.warn(message));
  events.on('task.retrying', (task) =>
    logger.warn(`${named(task)} failed: ${told(task.error)}; next attempt in ${seconds(task.delayMs)}`),
  );
  events.on('task.dead', (task) => {
    const error = task.error === undefined || says(task.error, task.detail) ? '' : `: ${told(task.error)}`;
    logger.error(`${named(task)} is dead (${task.reason}: ${task.detail})${error}`, stackOf(task.error));
  });
  events.on('task.malformed', ({ queue, entryId, detail }) =>
    logger.error(`entry ${entryId} of queue "${queue}" is no task and was dead-lettered: ${detail}`),
  );
  events.on('task.unhandled', ({ queue, type, version, handlerVersion }) => {
    const why =
      handlerVersion === undefined
        ? `no handler for tasks "${type}" of queue "${queue}" in this process`
        : `tasks "${type}" of queue "${queue}" have version ${version}, their handler in this process ${handlerVersion}`;
    warnOnce(why, `${why}; they are offered again later`);
  });
  events.on('task.stuck', (task) =>
    logger.error(
      `${named(task)} ignores its abort signal after ${seconds(task.runMs)}; its slot stays taken`,
    ),
  );
  events.on('task.unproven', (task) =>
    logger.warn(
      `${named(task)} may be taken over by another worker: its lease was not renewed for ${seconds(task.silentMs)}`,
    ),
  );
  events.on('task.stale', (task) =>
    logger.warn(`${named(task)} belongs to another worker by now: its ${task.what} was refused`),
  );
  events.on('queue.recreated', ({ queue }) =>
    logger.warn(`queue "${queue}" had lost its consumer group, which was made again: was Redis flushed?`),
  );
  events.on('data.lost', (loss) =>
    logger.error(`Redis lost data of queue "${loss.queue}": ${lostWords(loss)}`),
  );
  events.on('data.lost.more', (loss) =>
    logger.warn(`more is missing in queue "${loss.queue}": ${lostWords(loss)}`),
  );
  events.on('data.reoffered', ({ queue, accepted, present, failed }) => {
    const line = `tasks offered again to queue "${queue}": ${accepted} had been lost, ${present} were there, ${failed} failed`;
    if (failed > 0) logger.error(line);
    else logger.info(line);
  });
  events.on('broker.reconnected', ({ link }) => logger.info(`connected to Redis again (${link})`));
}

const HOW = {
  deleted: 'somebody deleted it',
  replaced: 'it is other data',
  'rolled-back': 'the newest is gone',
};

function lostWords({ how, ranges, reoffered, forgotten }: LossFact): string {
  const where = ranges.map(({ of, after, upTo }) => `${of} after ${after} up to ${upTo}`).join(', ');
  const again = `${reoffered} tasks are offered again, up to ${forgotten} groups are not known any more`;
  return `${HOW[how]}${where && ` (${where})`}; ${again}`;
}

function named({ queue, type, id, attempt }: TaskFact): string {
  return `task "${type}" ${id} in "${queue}", attempt ${attempt},`;
}

/** Name and message of anything thrown, in one line of bounded length. */
function told(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown ${typeof error}`;
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= 500 ? line : `${line.slice(0, 499)}…`;
}

/** Whether the detail (which may be cut) is the error's own message already. */
function says(error: unknown, detail: string): boolean {
  return error instanceof Error && error.message.startsWith(detail.replace(/…$/, ''));
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
