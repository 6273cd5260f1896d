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

/** What is wrong with a server, in sentences, by what the options want to come of it. */
export interface Shortcomings {
  readonly refused: readonly string[];
  readonly warned: readonly string[];
}

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
  // No policy helps there: not a single task could be written, or only those of some queues.
  const wrong = wrongKindFor(facts, options);
  if (wrong)
    throw new RedisUnusableError(`Redis at ${target} cannot be used: ${wrong.why}`, { fix: wrong.fix });
  const { unfit, forgets } = byPolicy(facts, options);
  if (unfit.refused.length > 0) throw unfitError(target, [...unfit.refused, ...forgets.refused]);
  if (forgets.refused.length > 0) throw unfitError(target, forgets.refused, 'redis.persistence');
  for (const reason of [...unfit.warned, ...forgets.warned]) warn(`Redis at ${target}: ${reason}`);
}

/** The same of a server that is in use already: everything is said, and nothing thrown. */
export function shortcomings(facts: ServerFacts, options: ResolvedEngineOptions): Shortcomings {
  const wrong = wrongKindFor(facts, options);
  if (wrong) return { refused: [wrong.why], warned: [] };
  const { unfit, forgets } = byPolicy(facts, options);
  return {
    refused: [...unfit.refused, ...forgets.refused],
    warned: [...unfit.warned, ...forgets.warned],
  };
}

function wrongKindFor(facts: ServerFacts, { redis }: ResolvedEngineOptions): ReturnType<typeof wrongKind> {
  return wrongKind(facts, { cluster: redis.cluster !== undefined });
}

/** `unfit` goes by `redis.unsafe`, `forgets` by `redis.persistence`. */
function byPolicy(
  facts: ServerFacts,
  { redis: { unsafe, persistence }, tasks: { durability } }: ResolvedEngineOptions,
): { unfit: Shortcomings; forgets: Shortcomings } {
  const unfit = [...unfitness(facts)];
  const misplaced = misplacement(facts);
  if (misplaced !== undefined) unfit.unshift(misplaced);
  const lack = durabilityLack(durability, facts);
  if (lack) unfit.push(`tasks.durability is "${durabilityName(durability)}" and ${lack.why}; ${lack.fix}`);
  const volatile = volatility(facts);
  const forgets = volatile === undefined ? [] : [volatile];
  return {
    unfit: unsafe === 'refuse' ? { refused: unfit, warned: [] } : { refused: [], warned: unfit },
    forgets: {
      refused: persistence === 'require' ? forgets : [],
      warned: persistence === 'warn' ? forgets : [],
    },
  };
}
