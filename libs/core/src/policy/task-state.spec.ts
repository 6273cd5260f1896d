import { describe, expect, it } from 'vitest';
import { type TaskState, TRANSITIONS } from './task-state.js';

const STATES = Object.keys(TRANSITIONS) as TaskState[];

/** Every state that can come after one, in any number of steps. */
function reachable(from: TaskState): Set<TaskState> {
  const found = new Set<TaskState>();
  const open = [from];
  for (let state = open.pop(); state; state = open.pop()) {
    for (const next of TRANSITIONS[state].filter((each) => !found.has(each))) {
      found.add(next);
      open.push(next);
    }
  }
  return found;
}

describe('the states of a task', () => {
  it('lead only to states that are there, none to itself', () => {
    for (const state of STATES) {
      expect(STATES).toEqual(expect.arrayContaining([...TRANSITIONS[state]]));
      expect(TRANSITIONS[state]).not.toContain(state);
    }
  });

  it('all come from waiting, and every one but the last two can still be completed', () => {
    expect([...reachable('scheduled')].length).toBe(STATES.length);
    for (const state of STATES) {
      const ended = state === 'completed' || state === 'discarded';
      expect(reachable(state).has('completed')).toBe(!ended);
      expect(TRANSITIONS[state].length === 0).toBe(ended);
    }
  });

  it('let only a ready task become active: what waits is never in a pending list', () => {
    expect(STATES.filter((state) => TRANSITIONS[state].includes('active'))).toEqual(['ready']);
  });
});
