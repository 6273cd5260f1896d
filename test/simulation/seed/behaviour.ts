import type { Dice } from '../../chaos/dice.js';

/** What a handler does with one start of a task. `ms` is how long that takes. */
export interface Behaviour {
  readonly does:
    | 'complete'
    | 'throw'
    | 'give up'
    | 'snooze'
    | 'discard'
    | 'bury'
    | 'obey'
    | 'finish late'
    | 'ignore'
    | 'block'
    | 'kill';
  readonly ms: number;
}

/** What is done in each start of one task; most complete. */
export function behavioursOf(dice: Dice): readonly Behaviour[] {
  if (dice.chance(0.04)) return Array.from({ length: 12 }, () => one('kill', dice));
  if (dice.chance(0.04)) return Array.from({ length: 12 }, () => one('throw', dice));
  if (dice.chance(0.45)) return [one('complete', dice)];
  return Array.from({ length: dice.between(1, 3) }, () => one(dice.pick(ALL), dice));
}

const ALL: readonly Behaviour['does'][] = [
  ...(['complete', 'complete', 'complete', 'throw', 'throw', 'throw', 'snooze', 'snooze'] as const),
  ...(['give up', 'discard', 'bury', 'obey', 'finish late', 'ignore', 'block', 'kill'] as const),
];

function one(does: Behaviour['does'], dice: Dice): Behaviour {
  const quick = dice.chance(0.4);
  return { does, ms: quick ? 0 : dice.random() * dice.pick([5, 100, 1200, 4000]) };
}
