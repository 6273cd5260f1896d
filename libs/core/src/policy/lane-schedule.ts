import type { Lane } from '../contract/lane.js';

/** How many entries to ask of each lane. */
export interface LaneShares {
  readonly total: number;
  readonly high: number;
  readonly normal: number;
  readonly low: number;
}

/**
 * Ten turns: six of `high`, three of `normal`, one of `low`, spread out evenly. While every lane has work, that is
 * how many of ten starts each gets; a lane without work leaves its turns to the others, so `low` never starves.
 */
const TURNS: readonly Lane[] = [
  'high',
  'normal',
  'high',
  'high',
  'normal',
  'high',
  'low',
  'high',
  'normal',
  'high',
];

/** Shares of the next `total` starts, when `served` starts went before. A function of both, so that one slot is fair too. */
export function laneShares(served: number, total: number): LaneShares {
  const shares = { high: 0, normal: 0, low: 0 };
  const rounds = Math.floor(total / TURNS.length);
  shares.high = rounds * 6;
  shares.normal = rounds * 3;
  shares.low = rounds;
  for (let turn = 0; turn < total % TURNS.length; turn += 1)
    shares[TURNS[(served + turn) % TURNS.length]!] += 1;
  return { total, ...shares };
}
