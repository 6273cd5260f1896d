/** The states of a task, as `Inspector` and the documents name them. */
export type TaskState = 'ready' | 'scheduled' | 'active' | 'retrying' | 'completed' | 'dead' | 'discarded';

/** Which state may follow which. `docs/architecture.md` draws it; a test compares the two. */
export const TRANSITIONS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  scheduled: ['ready'],
  ready: ['active'],
  active: ['completed', 'retrying', 'scheduled', 'dead', 'discarded', 'ready'],
  retrying: ['ready'],
  dead: ['ready'],
  completed: [],
  discarded: [],
};
