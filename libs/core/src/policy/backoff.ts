/** Exponential backoff, resolved. */
export interface ResolvedBackoff {
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/**
 * Delay before the attempt after `attempt`, in milliseconds: full jitter, uniform in [0, min(max, base·factor^(n−1))].
 * Spreading over the whole range needs the fewest calls in all until a crowd of retries is through
 * (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffDelay(backoff: ResolvedBackoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * backoff.factor ** (attempt - 1));
  return Math.round(ceiling * random);
}
