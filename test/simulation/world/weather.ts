import type { Dice } from '../../chaos/dice.js';

/** What becomes of one call on its way. */
export type Fate = 'answered' | 'request lost' | 'reply lost' | 'late' | 'twice';

/** How one call travels. */
export interface Journey {
  readonly fate: Fate;
  readonly thereMs: number;
  readonly backMs: number;
  /** When a request arrives after all, or once more, that nobody waits for any longer. */
  readonly lateMs: number;
}

/** How rough the network is: shares of calls, and milliseconds. */
export interface Climate {
  readonly lost: number;
  readonly unanswered: number;
  readonly late: number;
  readonly twice: number;
  readonly slow: number;
  readonly usualMs: number;
  readonly slowMs: number;
  readonly lateMs: number;
}

/** Decides how calls travel: by the climate while it is rough, else quickly and safely. */
export class Weather {
  rough = true;

  constructor(
    private readonly climate: Climate,
    private readonly dice: Dice,
  ) {}

  journey(): Journey {
    const { climate, dice } = this;
    if (!this.rough) return { fate: 'answered', thereMs: dice.random(), backMs: dice.random(), lateMs: 0 };
    return {
      fate: this.fate(dice.random()),
      thereMs: this.legMs(),
      backMs: this.legMs(),
      lateMs: climate.lateMs * dice.random(),
    };
  }

  /** How long it takes to find out that a link is lost, or to make it again. */
  pauseMs(): number {
    return this.rough ? 5 + this.climate.usualMs * 10 * this.dice.random() : 1 + this.dice.random();
  }

  /** Whether a request that was on its way when its link was lost arrives after all. */
  survives(): boolean {
    return this.rough && this.dice.chance(0.3);
  }

  private fate(throwOf: number): Fate {
    const { lost, unanswered, late, twice } = this.climate;
    if (throwOf < lost) return 'request lost';
    if (throwOf < lost + unanswered) return 'reply lost';
    if (throwOf < lost + unanswered + late) return 'late';
    return throwOf < lost + unanswered + late + twice ? 'twice' : 'answered';
  }

  private legMs(): number {
    const { slow, slowMs, usualMs } = this.climate;
    return this.dice.random() * (this.dice.chance(slow) ? slowMs : usualMs);
  }
}
