import { type AsyncHook, createHook } from 'node:async_hooks';

/** Where the engine's own files lie in a stack. */
const ENGINE = '/libs/core/src/';

/** Remembers every timer that the engine starts, and where, so that a test can ask for those that still run. */
export class LeakWatch {
  private readonly timers = new Map<number, { where: string; timer: WeakRef<NodeJS.Timeout> }>();
  private readonly hook: AsyncHook;

  constructor() {
    this.hook = createHook({
      init: (id, type, _trigger, resource) => {
        if (type !== 'Timeout') return;
        const where = engineFrames(new Error('here').stack ?? '');
        if (where) this.timers.set(id, { where, timer: new WeakRef(resource as NodeJS.Timeout) });
      },
      destroy: (id) => this.timers.delete(id),
    });
  }

  start(): void {
    this.timers.clear();
    this.hook.enable();
  }

  stop(): void {
    this.hook.disable();
  }

  /** Where the timers were started that would keep the process alive now; '' when there are none. */
  left(): string {
    const places = [...this.timers.values()]
      .filter(({ timer }) => timer.deref()?.hasRef())
      .map(({ where }) => where);
    return [...new Set(places)].join(', ');
  }
}

/** The innermost two frames of the engine: `runtime/clock.ts:15 < worker/task-worker.ts:212`. */
function engineFrames(stack: string): string {
  const frames = stack.split('\n').flatMap((line) => {
    const at = line.indexOf(ENGINE);
    return at < 0 ? [] : [line.slice(at + ENGINE.length).replace(/:\d+\)?$/, '')];
  });
  const byFile = new Map(frames.toReversed().map((frame) => [frame.split(':')[0], frame]));
  return [...byFile.values()].toReversed().slice(0, 2).join(' < ');
}
