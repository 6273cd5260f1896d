import { describe, expect, it } from 'vitest';
import { type EngineOptions, resolveEngineOptions } from '../policy/engine-options.js';
import type { ServerFacts } from './server-check.js';
import { demandFit, shortcomings } from './server-demands.js';

const FIT: ServerFacts = {
  product: 'redis',
  version: '7.2.4',
  mode: 'standalone',
  evictionPolicy: 'noeviction',
  appendOnly: true,
  appendFsync: 'everysec',
  waitAof: true,
  replicas: 1,
};
const EVICTS = /maxmemory-policy is "allkeys-lru"/;
const FORGETS = /appends nothing to a file/;

/** What is warned of, and what is refused. */
function demand(facts: Partial<ServerFacts>, options: EngineOptions) {
  const warnings: string[] = [];
  try {
    const resolved = resolveEngineOptions(options);
    demandFit('h:1', { ...FIT, ...facts }, resolved, (message) => void warnings.push(message));
    return { warnings, refusal: undefined };
  } catch (error) {
    return { warnings, refusal: error as Error & { code: string; fix: string } };
  }
}

describe('demandFit', () => {
  it('says nothing about a server that has all that is asked for', () => {
    const demands: EngineOptions[] = [
      {},
      { redis: { persistence: 'require' } },
      { tasks: { durability: 'durable' } },
      { tasks: { durability: { replicated: 1 } } },
    ];
    for (const options of demands) expect(demand({}, options)).toEqual({ warnings: [], refusal: undefined });
  });

  it('refuses one that evicts, or warns of it by policy, naming the target', () => {
    const facts = { evictionPolicy: 'allkeys-lru' };

    expect(demand(facts, {})).toMatchObject({ warnings: [], refusal: { code: 'TASKQ_REDIS_UNUSABLE' } });
    expect(demand(facts, {}).refusal?.message).toMatch(EVICTS);
    expect(demand(facts, { redis: { unsafe: 'warn' } })).toEqual({
      warnings: [expect.stringMatching(/^Redis at h:1: its maxmemory-policy/)],
      refusal: undefined,
    });
  });

  it('ignores, warns of, or refuses one that persists nothing, by policy', () => {
    const facts = { appendOnly: false };

    expect(demand(facts, { redis: { persistence: 'ignore' } })).toEqual({ warnings: [], refusal: undefined });
    expect(demand(facts, {})).toEqual({ warnings: [expect.stringMatching(FORGETS)], refusal: undefined });
    expect(demand(facts, { redis: { persistence: 'require' } }).refusal?.message).toMatch(FORGETS);
  });

  it('lets one that does not tell whether it persists pass', () => {
    const facts = { appendOnly: undefined };

    expect(demand(facts, { redis: { persistence: 'require' } })).toEqual({
      warnings: [],
      refusal: undefined,
    });
  });

  it('keeps the two policies apart', () => {
    const facts = { evictionPolicy: 'allkeys-lru', appendOnly: false };
    const by = (unsafe: 'refuse' | 'warn', persistence: 'ignore' | 'warn' | 'require') =>
      demand(facts, { redis: { unsafe, persistence } });

    expect(by('warn', 'warn').warnings).toEqual([
      expect.stringMatching(EVICTS),
      expect.stringMatching(FORGETS),
    ]);
    expect(by('warn', 'require').refusal?.message).toMatch(FORGETS);
    expect(by('warn', 'require').refusal?.message).not.toMatch(EVICTS);
    expect(by('refuse', 'ignore').refusal?.message).not.toMatch(FORGETS);
    expect(by('refuse', 'require').refusal?.message).toMatch(
      new RegExp(`${EVICTS.source}.*${FORGETS.source}`),
    );
  });

  it('says what to change where only persistence is required: redis.unsafe would not help', () => {
    const { refusal } = demand({ appendOnly: false }, { redis: { persistence: 'require', unsafe: 'warn' } });

    expect(refusal?.fix).toMatch(/redis\.persistence/);
  });

  it.each([
    ['durable', { appendOnly: false }, /tasks\.durability is "durable" and it appends nothing/],
    [{ replicated: 2 }, {}, /tasks\.durability is "replicated\(2\)" and 1 of 2 replicas/],
  ] as const)(
    'refuses a server that cannot give the durability %j of every task',
    (durability, facts, says) => {
      const redis = { persistence: 'ignore' } as const;

      expect(demand(facts, { tasks: { durability }, redis }).refusal?.message).toMatch(says);
      expect(demand(facts, { tasks: { durability }, redis: { ...redis, unsafe: 'warn' } })).toEqual({
        warnings: [expect.stringMatching(says)],
        refusal: undefined,
      });
    },
  );

  it.each([
    ['a node of a Cluster', { mode: 'cluster' }, /redis\.cluster/],
    ['a Sentinel', { mode: 'sentinel' }, /redis\.sentinels/],
  ])('refuses %s whatever the policy: nothing could be written', (_, facts, says) => {
    for (const unsafe of ['refuse', 'warn'] as const) {
      const { refusal, warnings } = demand({ ...facts, appendOnly: false }, { redis: { unsafe } });

      expect(refusal).toMatchObject({ code: 'TASKQ_REDIS_UNUSABLE', fix: expect.stringMatching(says) });
      // One message: what else may be wrong with it is beside the point, and no policy is offered.
      expect(refusal?.fix).not.toContain('redis.unsafe');
      expect(warnings).toEqual([]);
    }
  });

  it('lets whoever insists on a replica have it: it may become the primary', () => {
    expect(demand({ role: 'slave' }, {}).refusal?.message).toMatch(/replica/);
    expect(demand({ role: 'slave' }, { redis: { unsafe: 'warn' } })).toEqual({
      warnings: [expect.stringMatching(/replica/)],
      refusal: undefined,
    });
  });
});

describe('shortcomings', () => {
  const of = (facts: Partial<ServerFacts>, options: EngineOptions = {}) =>
    shortcomings({ ...FIT, ...facts }, resolveEngineOptions(options));

  it('are none of a server that has all that is asked for', () => {
    expect(of({})).toEqual({ refused: [], warned: [] });
  });

  it('are what a start would have refused, and what it would have warned of', () => {
    const facts = { evictionPolicy: 'allkeys-lru', appendOnly: false };
    const [evicts, forgets] = [expect.stringMatching(EVICTS), expect.stringMatching(FORGETS)];

    expect(of(facts)).toEqual({ refused: [evicts], warned: [forgets] });
    expect(of(facts, { redis: { persistence: 'require' } })).toEqual({
      refused: [evicts, forgets],
      warned: [],
    });
    expect(of(facts, { redis: { unsafe: 'warn', persistence: 'ignore' } })).toEqual({
      refused: [],
      warned: [evicts],
    });
  });

  it('are said of one to which nothing can be written, too, and nothing is thrown', () => {
    const facts = { mode: 'sentinel', evictionPolicy: 'allkeys-lru' };

    for (const unsafe of ['refuse', 'warn'] as const)
      expect(of(facts, { redis: { unsafe } })).toEqual({
        refused: [expect.stringMatching(/it is a Sentinel/)],
        warned: [],
      });
  });
});
