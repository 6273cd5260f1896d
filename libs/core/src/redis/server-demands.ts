import { durabilityName } from '../contract/durability.js';
import { RedisUnusableError } from '../contract/errors.js';
import type { ResolvedEngineOptions } from '../policy/engine-options.js';
import {
  durabilityLack,
  misplacement,
  type ServerFacts,
  unfitError,
  unfitness,
  volatility,
  wrongKind,
} from './server-check.js';

/**
 * Holds a server against what the options demand of it; what they only want to be warned of is warned of.
 * @throws RedisUnusableError with everything that is wrong, each with what to do
 */
export function demandFit(
  target: string,
  facts: ServerFacts,
  options: ResolvedEngineOptions,
  warn: (message: string) => void,
): void {
  const { unsafe, persistence, cluster } = options.redis;
  // No policy helps there: not a single task could be written, or only those of some queues.
  const wrong = wrongKind(facts, { cluster: cluster !== undefined });
  if (wrong)
    throw new RedisUnusableError(`Redis at ${target} cannot be used: ${wrong.why}`, { fix: wrong.fix });
  const unfit = [...unfitness(facts)];
  const misplaced = misplacement(facts);
  if (misplaced !== undefined) unfit.unshift(misplaced);
  const lack = durabilityLack(options.tasks.durability, facts);
  if (lack)
    unfit.push(
      `tasks.durability is "${durabilityName(options.tasks.durability)}" and ${lack.why}; ${lack.fix}`,
    );
  const volatile = volatility(facts);
  const refused = unsafe === 'refuse' ? unfit : [];
  const forgets = volatile !== undefined && persistence === 'require' ? [volatile] : [];
  if (refused.length > 0) throw unfitError(target, [...refused, ...forgets]);
  if (forgets.length > 0) throw unfitError(target, forgets, 'redis.persistence');
  const warned = [...unfit, ...(volatile !== undefined && persistence === 'warn' ? [volatile] : [])];
  for (const reason of warned) warn(`Redis at ${target}: ${reason}`);
}
