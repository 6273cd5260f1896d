import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Helper, HelperReport } from './helper.js';

/** What a helper is told. */
export type HelperOrder = 'begin' | 'look';

/** A helper in a process of its own. It ends with the process that started it. */
export class HelperProcess implements Helper {
  readonly ready: Promise<void>;

  constructor(private readonly child: ChildProcess) {
    const ended = once(child, 'exit').then(() => {
      throw new Error('a process that helps has ended');
    });
    this.ready = Promise.race([once(child, 'message').then(() => undefined), ended]);
    this.ready.catch(() => undefined);
    ended.catch(() => undefined);
  }

  begin(): void {
    this.child.send('begin' satisfies HelperOrder);
  }

  async look(): Promise<HelperReport> {
    this.child.send('look' satisfies HelperOrder);
    const [report] = (await once(this.child, 'message')) as [HelperReport];
    return report;
  }
}
