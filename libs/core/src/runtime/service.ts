import type { CancelTimer, Clock } from './clock.js';
import type { Logger } from './logger.js';

/** Something that runs beside the path of a task. Start and stop may be called twice; `stop` resolves when it is quiet. */
export interface Service {
  start(): void;
  stop(): Promise<void>;
}

/** How often a periodic service runs and what it does when a pass fails. */
export interface PeriodicOptions {
  readonly name: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1): spreads the passes of many processes. */
  readonly random: () => number;
}

/**
 * Runs `runOnce` again and again, one pass at a time. A pass that throws is logged and the next comes after the usual
 * time, so that no error ends the service. A pass may ask for the next one sooner by answering milliseconds.
 */
export abstract class PeriodicService implements Service {
  private cancelTimer: CancelTimer | undefined;
  private underWay: Promise<void> | undefined;
  private again = false;
  private active = false;

  constructor(protected readonly options: PeriodicOptions) {}

  /** Whether it was started and not told to stop: a long pass looks now and then, and ends early. */
  protected get running(): boolean {
    return this.active;
  }

  /** One pass. Answers in how many milliseconds the next should come, if sooner than usual. */
  abstract runOnce(): Promise<number | undefined | void>;

  start(): void {
    if (this.active) return;
    this.active = true;
    this.arm(this.options.everyMs * this.options.random());
  }

  async stop(): Promise<void> {
    this.active = false;
    this.disarm();
    await this.underWay;
  }

  /** Runs a pass now, or directly after the one under way. */
  trigger(): void {
    if (!this.active) return;
    if (this.underWay) this.again = true;
    else this.run();
  }

  private run(): void {
    this.disarm();
    this.again = false;
    this.underWay = this.guarded().then((next) => {
      this.underWay = undefined;
      if (!this.active) return;
      if (this.again) this.run();
      else this.arm(next ?? this.options.everyMs * (0.9 + 0.2 * this.options.random()));
    });
  }

  private async guarded(): Promise<number | undefined> {
    try {
      return (await this.runOnce()) ?? undefined;
    } catch (error) {
      this.options.logger.warn(
        `${this.options.name}: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }

  private arm(ms: number): void {
    this.disarm();
    this.cancelTimer = this.options.clock.after(ms, () => this.run());
  }

  private disarm(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
