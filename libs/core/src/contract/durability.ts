/**
 * How far a task must have got before `enqueue` answers.
 *
 * - `accepted`: Redis has it in memory, and on disk and on replicas as soon as it gets round to that.
 * - `durable`: it is on the disk of the server that answered: it outlives a power loss of that machine.
 * - `{ replicated: k }`: k replicas have it, too: it outlives the loss of the primary, as long as one of them is
 *   made the next. Redis replicates without consensus, so a replica that lags behind may be chosen instead.
 */
export type Durability = 'accepted' | 'durable' | { readonly replicated: number };

/** Replicas that may be waited for. */
export const MOST_REPLICAS = 16;

/** Whether a value is a {@link Durability}. */
export function isDurability(value: unknown): value is Durability {
  if (value === 'accepted' || value === 'durable') return true;
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== 'replicated') return false;
  const { replicated } = value as { replicated: unknown };
  return (
    Number.isInteger(replicated) && (replicated as number) >= 1 && (replicated as number) <= MOST_REPLICAS
  );
}

/** What must be given where a durability is asked for. */
export const DURABILITY_RULE = `"accepted", "durable" or { replicated: 1 to ${MOST_REPLICAS} }`;

/** A durability as one word: `accepted`, `durable`, `replicated(2)`. Equal for equal levels. */
export function durabilityName(durability: Durability): string {
  return typeof durability === 'string' ? durability : `replicated(${durability.replicated})`;
}
