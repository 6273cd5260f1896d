import type { Removal } from '../removal.js';

const REDIS = 'libs/core/src/redis';
const BROKER = `${REDIS}/redis-broker.ts`;
const GATE = `${REDIS}/durability-gate.ts`;
const BELIEVED = `${REDIS}/believed-facts.ts`;
const BARRIER = `${REDIS}/durability-barrier.ts`;
const WATCH = `${REDIS}/data-watch.ts`;
const SERVER = `${REDIS}/server-check.ts`;
const PRODUCT = `${REDIS}/server-product.ts`;
const SERVERS = `${REDIS}/server-watch.ts`;
const DEMANDS = `${REDIS}/server-demands.ts`;

const WAITED = [`${REDIS}/durability-barrier.spec.ts`];
const WATCHED = [`${REDIS}/data-watch.spec.ts`];
const CHECKED = [`${REDIS}/server-check.spec.ts`];
const PRODUCTS = [`${REDIS}/server-product.spec.ts`];
const SUCCEEDED = [`${REDIS}/server-watch.spec.ts`];
const DEMANDED = [`${REDIS}/server-demands.spec.ts`];
const DISK = ['test/integration/wait-aof.spec.ts'];
const REPLICAS = ['test/integration/durability.spec.ts'];

/** Defences of what Redis keeps: what it is asked to keep, whether it has, and what it has lost. */
export const redisDataRemovals: readonly Removal[] = [
  {
    name: 'a-server-that-evicts-is-refused',
    defence: 'Without it tasks are deleted when memory is short.',
    file: SERVER,
    take: "if (facts.evictionPolicy !== undefined && facts.evictionPolicy !== 'noeviction') {",
    by: 'if (false) {',
    witnesses: CHECKED,
  },
  {
    name: 'a-server-that-is-too-old-is-refused',
    defence: 'Without it scripts fail in the middle of the first task.',
    file: PRODUCT,
    take: "if (version === 'unknown' || !older(version, oldest)) return undefined;",
    by: 'if (version) return undefined;',
    witnesses: CHECKED,
  },
  {
    name: 'a-server-that-persists-nothing-is-told-of',
    defence: 'Without it nobody knows that a restart loses everything.',
    file: SERVER,
    take: '  if (facts.appendOnly !== false) return undefined;\n',
    by: '  if (facts) return undefined;\n',
    witnesses: CHECKED,
  },
  {
    name: 'a-replica-is-refused',
    defence: 'Without it an application starts on a server that takes no writes.',
    file: SERVER,
    take: "if (facts.role !== 'slave') return undefined;",
    by: 'if (facts) return undefined;',
    witnesses: CHECKED,
  },
  {
    name: 'what-is-unfit-is-refused',
    defence: 'Without it everything that is wrong with a server is a warning at most.',
    file: DEMANDS,
    take: '  if (unfit.refused.length > 0) throw unfitError(target, [...unfit.refused, ...forgets.refused]);\n',
    witnesses: DEMANDED,
  },
  {
    name: 'a-durability-that-cannot-be-had-is-refused-at-the-start',
    defence: 'Without it every call fails instead of the start.',
    file: DEMANDS,
    take: 'if (lack) unfit.push(',
    by: 'if (false) unfit.push(',
    witnesses: DEMANDED,
  },
  {
    name: 'a-product-that-only-speaks-like-redis-is-refused',
    defence: 'Without it tasks are trusted to a server of which nobody knows what it keeps.',
    file: PRODUCT,
    take: '  if (product) return {',
    by: '  if (false) return {',
    witnesses: PRODUCTS,
  },
  {
    name: 'a-product-is-known-by-its-program',
    defence: 'Without it KeyDB, which names itself nowhere else, is a Redis of whatever version it likes.',
    file: PRODUCT,
    take: ' ?? byExecutable(said.executable)',
    witnesses: PRODUCTS,
  },
  {
    name: 'a-server-that-is-reached-later-is-looked-at',
    defence: 'Without it nobody hears that a failover led to a server that evicts, or persists nothing.',
    file: SERVERS,
    take: '    this.forget = links.onArrival((link) => this.arrived(link));\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'a-node-that-joins-later-is-looked-at',
    defence: 'Without it nobody hears that a new master of a Cluster evicts, or persists nothing.',
    file: `${REDIS}/cluster-links.ts`,
    take: '        for (const listener of this.arrivalListeners) listener(link);\n',
    witnesses: [`${REDIS}/cluster-links.spec.ts`],
  },
  {
    name: 'a-failover-comes-to-rest-before-it-is-judged',
    defence: 'Without it every failover is warned of for what is so for a moment only.',
    file: SERVERS,
    take: '    await sleep(systemClock, SETTLED_MS, signal);\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'one-warning-per-run-of-a-server',
    defence: 'Without it each link that is made again logs what was said before.',
    file: SERVERS,
    take: '    if (this.told.has(news)) return false;\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'what-was-accepted-at-the-start-is-not-said-again',
    defence: 'Without it a link that is made again logs what the start has logged of the same server.',
    file: SERVERS,
    take: '      for (const reason of shortcomings(facts, options).warned) this.isNews(servers[i]!, facts, reason);\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'another-run-of-a-server-is-warned-of-anew',
    defence: 'Without it the second server that is unfit for the same reason is not told of.',
    file: SERVERS,
    take: "`${runId ?? addressOf(link) ?? ''} ${reason}`",
    by: 'reason',
    witnesses: SUCCEEDED,
  },
  {
    name: 'a-server-that-was-mended-is-well',
    defence:
      'Without it health stays degraded until the next failover, or a first question lost is the last one.',
    file: SERVERS,
    take: '      await sleep(systemClock, LOOK_AGAIN_MS, signal);\n',
    by: '      return;\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'a-server-that-holds-no-queues-is-not-judged',
    defence: 'Without it a replica that was only asked who has which slots is warned of.',
    file: SERVERS,
    take: ' && this.parts.links.servers().includes(link)',
    witnesses: SUCCEEDED,
  },
  {
    name: 'no-look-outlives-its-connection',
    defence: 'Without it a process that has closed everything is held for ten seconds more.',
    file: SERVERS,
    take: '    for (const { over } of this.looks.values()) over.abort();\n',
    witnesses: SUCCEEDED,
  },
  {
    name: 'a-key-that-holds-something-else-stops-the-queue',
    defence: 'Without it a queue whose keys are somebody else’s is taken for one that was made.',
    file: `${REDIS}/replies.ts`,
    take: 'if (made >= 0) return',
    by: 'if (true) return',
    witnesses: [`${REDIS}/replies.spec.ts`],
  },
  {
    name: 'a-durability-that-cannot-be-had-is-refused',
    defence: 'Without it a task is written that can never be as safe as it was asked to be.',
    file: GATE,
    take: 'else throw new DurabilityUnavailableError(',
    by: 'else new DurabilityUnavailableError(',
    witnesses: REPLICAS,
  },
  {
    name: 'an-answer-waits-for-its-durability',
    defence: 'Without it "durable" is a word in the answer.',
    file: BROKER,
    take: "    if (durability !== 'accepted')\n      await this.durability.reached(queue, durability, keys.producer(channel), sequence);\n",
    witnesses: [...DISK, ...REPLICAS],
  },
  {
    name: 'the-result-of-a-wait-is-looked-at',
    defence: 'Without it a wait that ends because its time is over counts as one that was heard.',
    file: BARRIER,
    take: 'else if (reached < wanted)',
    by: 'else if (false)',
    witnesses: WAITED,
  },
  {
    name: 'a-group-that-is-not-known-is-not-confirmed',
    defence: 'Without it a group that a failover has lost is confirmed by the server that never had it.',
    file: BARRIER,
    take: 'if (known[i] !== 1)',
    by: 'if (false)',
    witnesses: WAITED,
  },
  {
    name: 'a-disk-is-waited-for',
    defence: 'Without it "durable" asks for replicas, and says nothing of the disk.',
    file: BARRIER,
    take: "typeof durability === 'string' ? onDisk(link, waitMs) : link.wait(wanted, waitMs)",
    by: 'link.wait(wanted, waitMs)',
    witnesses: WAITED,
  },
  {
    name: 'what-was-written-and-not-confirmed-is-unknown',
    defence: 'Without it a caller is told that nothing was written though the task is there.',
    file: GATE,
    take: "      throw new BrokerTimeoutError('UNCONFIRMED', `not confirmed: ${message}`, { cause: error, retryable });",
    by: '      throw toBrokerError(error);',
    witnesses: DISK,
  },
  {
    name: 'a-server-is-not-believed-for-long',
    defence: 'Without it a call is answered as durable after somebody has turned the persistence off.',
    file: BELIEVED,
    take: 'if (last && ageMs < ASK_AGAIN_MS) return last.facts;',
    by: 'if (last) return last.facts;',
    witnesses: [`${REDIS}/believed-facts.spec.ts`],
  },
  {
    name: 'less-than-was-seen-is-a-loss',
    defence: 'Without it a Redis that comes back from a snapshot looks like one that lost nothing.',
    file: WATCH,
    take: 'const lost = LANES.filter((lane) => entryBefore(left(lane), before.last[lane]));',
    by: 'const lost: Lane[] = [];',
    witnesses: WATCHED,
  },
  {
    name: 'other-data-is-a-loss',
    defence: 'Without it a Redis that comes back empty looks like one that lost nothing.',
    file: WATCH,
    take: 'before.epoch !== undefined && before.epoch !== now.epoch',
    by: 'false',
    witnesses: WATCHED,
  },
  {
    name: 'a-loss-is-told-once',
    defence: 'Without it every link that is back tells of the same loss.',
    file: WATCH,
    take: '(this.looks.get(queue) ?? Promise.resolve()).then(() => this.lookUntilSeen(queue))',
    by: 'this.lookUntilSeen(queue)',
    witnesses: WATCHED,
  },
  {
    name: 'a-watch-looks-when-the-link-is-back',
    defence: 'Without it a worker hears of a loss when its groups are found missing, or never.',
    file: WATCH,
    take: "      if (role === 'commands') void this.look();\n",
    witnesses: WATCHED,
  },
  {
    name: 'a-watch-looks-again-where-nobody-answers',
    defence: 'Without it a loss is missed when the first server after a failover is not ready.',
    file: WATCH,
    take: '        await sleep(systemClock, pauseMs);\n',
    by: '        return void pauseMs;\n',
    witnesses: WATCHED,
  },
  {
    name: 'completions-go-before-what-needs-memory',
    defence: 'Without it a Redis that is full cannot be drained: the first retry stops its whole group.',
    file: `${REDIS}/requests.ts`,
    take: '\n          .toSorted((a, b) => weight(a.outcome) - weight(b.outcome))',
    witnesses: ['test/broker/out-of-memory.spec.ts'],
  },
];
