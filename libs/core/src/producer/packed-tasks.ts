import type { NewTask } from '../broker/broker.js';
import { isPlainTask } from '../broker/plain-task.js';
import type { Lane } from '../contract/lane.js';

/** Texts of a plain task. */
const TEXTS = 5;

/**
 * Tasks that are kept for a while though they are rarely needed again. Nearly all of them are plain, and are kept as one
 * text: a hundred thousand objects that live for seconds cost more to keep than they cost to make.
 */
export class PackedTasks {
  private readonly text: string;
  /** Tasks with more than a plain one has, in their order. */
  private readonly others: readonly NewTask[];

  constructor(tasks: readonly NewTask[]) {
    const texts: string[] = [];
    const others: NewTask[] = [];
    for (const task of tasks) {
      if (isPlainTask(task)) texts.push(task.id, task.type, task.payload, task.meta, task.lane);
      else {
        // Where it stood: no id is empty.
        texts.push('', '', '', '', '');
        others.push(task);
      }
    }
    this.text = texts.join('\n');
    this.others = others;
  }

  unpack(): NewTask[] {
    const texts = this.text.split('\n');
    const others = this.others.values();
    const tasks: NewTask[] = [];
    for (let at = 0; at + TEXTS <= texts.length; at += TEXTS) {
      const [id, type, payload, meta, lane] = texts.slice(at, at + TEXTS) as [
        string,
        string,
        string,
        string,
        Lane,
      ];
      tasks.push(id === '' ? (others.next().value as NewTask) : { id, type, payload, meta, lane });
    }
    return tasks;
  }
}
