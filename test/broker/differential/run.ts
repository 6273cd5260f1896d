import { isDeepStrictEqual } from 'node:util';
import type { Call } from './calls.js';
import { Side } from './side.js';
import type { World } from './world.js';

/** Where the two differ: after which call, and in what. */
export interface Difference {
  readonly after: number;
  readonly what: string;
  readonly answers: readonly [unknown, unknown];
}

/** How often everything that is kept is compared, in calls. Answers are compared each time. */
const LOOK_EVERY = 8;

/** How often a difference must be found: time that really passed may make one, on a machine that was held up. */
const TIMES_FOUND = 3;

/** Makes both sides of a queue. */
export type Worlds = (queue: string) => readonly [World, World];

let queues = 0;

/** Does the same calls on both sides, in a new queue; answers where they first differ, if they do. */
export async function compare(worlds: Worlds, calls: readonly Call[]): Promise<Difference | undefined> {
  for (let times = 1; ; times += 1) {
    queues += 1;
    const found = await compareOnce(worlds, `q${queues}`, calls);
    if (found === undefined || times === TIMES_FOUND) return found;
  }
}

async function compareOnce(
  worlds: Worlds,
  queue: string,
  calls: readonly Call[],
): Promise<Difference | undefined> {
  const [first, second] = worlds(queue).map((world) => new Side(world, queue)) as [Side, Side];
  const differ = async (
    what: string,
    after: number,
    ask: (side: Side) => Promise<unknown>,
  ): Promise<Difference | undefined> => {
    const answers = [await ask(first), await ask(second)] as const;
    return isDeepStrictEqual(plain(answers[0]), plain(answers[1])) ? undefined : { after, what, answers };
  };
  const calling = async (call: Call, after: number): Promise<Difference | undefined> => {
    const looks = after % LOOK_EVERY === 0 || after === calls.length - 1;
    return (
      (await differ(call.verb, after, (side) => side.perform(call))) ??
      (second.hasAnswer
        ? await differ('the fetch that waited', after, (side) => side.waited())
        : undefined) ??
      (looks ? await differ('what is kept', after, (side) => side.view()) : undefined)
    );
  };
  try {
    const make = { verb: 'ensureQueue', broker: 0, consumer: 'w0' } as const;
    await Promise.all([first.perform(make), second.perform(make)]);
    for (const [after, call] of calls.entries()) {
      const found = await calling(call, after);
      if (found) return found;
    }
    return undefined;
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
}

/** As JSON has it: what is undefined is not there. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify([value])) as unknown;
}

/** The fewest calls found that still differ: leaves out one after the other for as long as they do. */
export async function shorten(worlds: Worlds, calls: readonly Call[]): Promise<readonly Call[]> {
  let shortest = calls;
  for (let i = shortest.length - 1; i >= 0; i -= 1) {
    const without = shortest.toSpliced(i, 1);
    if (await compare(worlds, without)) shortest = without;
  }
  return shortest;
}
