import type { Contender, ContenderName } from './contender.js';
import { TASKQ_PACE } from './taskq.js';

/** A handler method with payload and context. */
export const taskqNest = through(
  'taskq-nest',
  'plain',
  'a handler method with `@TaskPayload()` and `@TaskContext()`',
);

/** A handler method with everything around it. */
export const taskqNestFull = through(
  'taskq-nest-full',
  'full',
  'a handler method with a guard, an interceptor and a `ValidationPipe` over a class-validator DTO',
);

function through(name: ContenderName, which: 'plain' | 'full', what: string): Contender {
  return {
    name,
    foreign: false,
    settings: `\`@taskq/nestjs\`: ${what}; otherwise as \`taskq\``,
    pace: { ...TASKQ_PACE, process: { one: 40_000, many: which === 'full' ? 35_000 : 70_000 } },
    // Nest is loaded by the processes that measure it, and by no others.
    open: async (site) => (await import('./nest-application.js')).openApplication(site, which),
  };
}
