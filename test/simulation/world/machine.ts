import type { CancelTimer, Clock } from '@taskq/core';
import type { Timeline } from './timeline.js';

/** What every clock on a wall shows when the simulation begins. */
export const WALL_START_MS = Date.UTC(2026, 6, 1);

/**
 * A process of the simulation: whatever is to run in it comes through here, so it can be frozen, and killed between
 * any two turns of its event loop. Its clock is the time of the simulation, seen only while it runs.
 */
export class Machine implements Clock {
  /** Timers that are set and have not fired. */
  timers = 0;
  private state: 'running' | 'frozen' | 'dead' = 'running';
  private backlog: (() => void)[] = [];
  private readonly whenThawed: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly timeline: Timeline,
    /** Part of a millisecond by which its timers come late: what happens first on which process differs by it. */
    private readonly phase: number,
  ) {}

  get alive(): boolean {
    return this.state !== 'dead';
  }

  get frozen(): boolean {
    return this.state === 'frozen';
  }

  monotonicMs(): number {
    return this.timeline.now;
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.timeline.now);
  }

  after(ms: number, run: () => void): CancelTimer {
    let set = true;
    this.timers += 1;
    const cancel = (): void => {
      if (set) this.timers -= 1;
      set = false;
    };
    // As Node does: never early, at whole milliseconds of its own.
    const at = Math.ceil(this.timeline.now + Math.max(ms, 0) - this.phase) + this.phase;
    this.timeline.at(at, () =>
      this.enter(() => {
        if (!set) return;
        cancel();
        run();
      }),
    );
    return cancel;
  }

  /** What a handler waits for: none of the engine's business. */
  later(ms: number, run: () => void): void {
    this.timeline.after(ms, () => this.enter(run));
  }

  /** Runs something in this process: now, when it is thawed, or never. */
  enter(run: () => void): void {
    if (this.state === 'running') run();
    else if (this.state === 'frozen') this.backlog.push(run);
  }

  /** Nothing runs until it is thawed: SIGSTOP, or a handler that does not give the event loop back. */
  freeze(): void {
    if (this.state === 'running') this.state = 'frozen';
  }

  /** What came meanwhile comes now, each in a turn of its own. */
  thaw(): void {
    if (this.state !== 'frozen') return;
    this.state = 'running';
    for (const look of this.whenThawed) look();
    for (const run of this.backlog.splice(0)) this.timeline.at(this.timeline.now, () => this.enter(run));
  }

  /** Calls `look` each time it was thawed, before anything else runs. */
  onThaw(look: () => void): void {
    this.whenThawed.push(look);
  }

  /** Nothing runs any more. */
  kill(): void {
    this.state = 'dead';
    this.backlog = [];
  }
}
