/** The priority lanes of a queue, most urgent first. Each is a stream of its own. */
export const LANES = ['high', 'normal', 'low'] as const;

/** Priority of a task. Lanes are served by weight (see `laneQuota`), so `low` is slow under load but never starves. */
export type Lane = (typeof LANES)[number];

/** Whether `value` is a lane. */
export function isLane(value: unknown): value is Lane {
  return value === 'high' || value === 'normal' || value === 'low';
}
