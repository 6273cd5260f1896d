import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Helper, HelperReport } from './helper.js';

/** A helper in a process of its own. It ends with the process that started it. */
export class HelperProcess implements Helper {
  readonly started: Promise<void>;

  constructor(private readonly child: ChildProcess) {
    const ended = once(child, 'exit').then(() => {
      throw new Error('a process that helps has ended');
    });
    this.started = Promise.race([once(child, 'message').then(() => undefined), ended]);
    this.started.catch(() => undefined);
    ended.catch(() => undefined);
  }

  async look(): Promise<HelperReport> {
    this.child.send('look');
    const [report] = (await once(this.child, 'message')) as [HelperReport];
    return report;
  }
}
