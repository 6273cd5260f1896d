import type { Fact } from '../ledger/fact.js';

/**
 * How long after SIGTERM each task that a worker handed back was started elsewhere, in milliseconds. One that was
 * never started again took for ever.
 */
export function handOverTimes(facts: readonly Fact[], pid: number, signalledAt: number): readonly number[] {
  const released = facts.filter((fact) => fact.fact === 'released' && fact.pid === pid);
  return [...new Set(released.map(({ id }) => id))].map((id) => {
    const starts = facts.filter(
      (fact) => fact.fact === 'started' && fact.id === id && fact.pid !== pid && fact.at >= signalledAt,
    );
    return Math.min(...starts.map(({ at }) => at - signalledAt));
  });
}

/** Tasks that a process has started and not ended, as far as it has said. */
export function runningOn(facts: readonly Fact[], pid: number): readonly string[] {
  const running = new Set<string>();
  for (const fact of facts) {
    if (fact.pid !== pid) continue;
    if (fact.fact === 'started') running.add(fact.id);
    else if (fact.fact !== 'reclaimed') running.delete(fact.id);
  }
  return [...running];
}
