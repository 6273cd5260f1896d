import type { ScheduledTask } from '@taskq/core';
import { SortedList } from '../sorted-list.js';

type Place = Pick<ScheduledTask, 'dueAt' | 'id'>;

/** Tasks that wait for their time: soonest first, of the same time by id. */
export class ScheduledTasks {
  private readonly byId = new Map<string, ScheduledTask>();
  private readonly order = new SortedList<Place, ScheduledTask>(
    (a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : Number(a.id > b.id)),
  );

  get size(): number {
    return this.byId.size;
  }

  /** When the next one is due. */
  get nextAt(): number | undefined {
    return this.order.first?.dueAt;
  }

  get(id: string): ScheduledTask | undefined {
    return this.byId.get(id);
  }

  /** Keeps a task until it is due; one of the same id is replaced. */
  put(task: ScheduledTask): void {
    this.remove(task.id);
    this.byId.set(task.id, task);
    this.order.add(task);
  }

  /** Takes up to `limit` tasks away that are due, soonest first. */
  takeDue(now: number, limit: number): readonly ScheduledTask[] {
    const due: ScheduledTask[] = [];
    for (
      let next = this.order.first;
      next && next.dueAt <= now && due.length < limit;
      next = this.order.first
    ) {
      this.remove(next.id);
      due.push(next);
    }
    return due;
  }

  list(offset: number, limit: number): readonly ScheduledTask[] {
    return this.order.slice(offset, limit);
  }

  all(): readonly ScheduledTask[] {
    return this.order.toArray();
  }

  copy(): ScheduledTasks {
    const copy = new ScheduledTasks();
    for (const task of this.order.toArray()) copy.put(task);
    return copy;
  }

  private remove(id: string): void {
    const task = this.byId.get(id);
    if (task === undefined) return;
    this.byId.delete(id);
    this.order.delete(task);
  }
}
