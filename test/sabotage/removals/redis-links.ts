import type { Removal } from '../removal.js';

const REDIS = 'libs/core/src/redis';
const NODE_LINKS = `${REDIS}/node-links.ts`;
const HANDSHAKE = `${REDIS}/handshake.ts`;
const CALLS = `${REDIS}/calls.ts`;
const ERRORS = `${REDIS}/redis-errors.ts`;
const BROKER = `${REDIS}/redis-broker.ts`;
const READER = `${REDIS}/blocking-reader.ts`;
const WATCHDOG = `${REDIS}/watchdog.ts`;
const FETCHES = `${REDIS}/fetches.ts`;
const ERAS = `${REDIS}/eras.ts`;
const ABSENCE = `${REDIS}/absence.ts`;
const CLUSTER = `${REDIS}/cluster-links.ts`;

const LINKED = [`${REDIS}/node-links.spec.ts`];
const CODES = [`${REDIS}/redis-errors.spec.ts`];
const ERA = ['test/broker/eras.spec.ts'];
const RECOVERY = ['test/integration/recovery.spec.ts'];
const RESENDING = ['test/integration/resending.spec.ts'];
const SILENCE = ['test/integration/silence.spec.ts'];
const CALLED = [`${REDIS}/calls.spec.ts`];
const MANY = [`${REDIS}/cluster-links.spec.ts`];

/** Defences of connections: that none hangs, that nothing is sent twice, and that another server is known as one. */
export const redisLinkRemovals: readonly Removal[] = [
  {
    name: 'nothing-is-sent-twice-by-the-client',
    defence: 'Without it the client repeats reads and renewals that were decided on before the link broke.',
    file: NODE_LINKS,
    take: 'autoResendUnfulfilledCommands: false,\n      maxRetriesPerRequest: 0,',
    by: 'autoResendUnfulfilledCommands: true,\n      maxRetriesPerRequest: null,',
    witnesses: RESENDING,
  },
  {
    name: 'nothing-queues-up-while-redis-is-away',
    defence: 'Without it calls gather in memory for as long as an outage lasts, and burst out after it.',
    file: NODE_LINKS,
    take: 'enableOfflineQueue: false,',
    by: 'enableOfflineQueue: true,',
    witnesses: RESENDING,
  },
  {
    name: 'a-command-is-answered-in-time',
    defence: 'Without it a command on a wire that is cut waits for ever.',
    file: NODE_LINKS,
    take: "      ...(role !== 'blocking' && { commandTimeout: commandTimeoutMs }),\n",
    witnesses: RECOVERY,
    only: 'dead in one direction.*taskq:commands',
  },
  {
    name: 'a-link-that-does-not-answer-is-made-anew',
    defence: 'Without it each further command waits in vain on the same dead socket.',
    file: CALLS,
    take: "    if (error instanceof BrokerTimeoutError && error.reason === 'TIMEOUT') this.links.rebuild(link);\n",
    witnesses: CALLED,
  },
  {
    name: 'a-read-that-stays-silent-is-given-up',
    defence: 'Without it a half-open connection looks like an empty queue for ever.',
    file: WATCHDOG,
    take: 'answered || silent()',
    by: 'answered',
    witnesses: RECOVERY,
    only: 'dead in one direction.*taskq:blocking',
  },
  {
    name: 'a-process-that-was-held-up-reads-what-is-there',
    defence: 'Without it a worker that was busy throws away the answer that has come meanwhile.',
    file: WATCHDOG,
    take: 'setImmediate(() => setImmediate(() => answered || silent()))',
    by: 'silent()',
    witnesses: SILENCE,
    only: 'held up',
  },
  {
    name: 'a-dead-link-has-the-others-prove-that-they-are-alive',
    defence: 'Without it the next call waits in vain on the next dead link: twice as long until all is well.',
    file: NODE_LINKS,
    take: '    for (const other of this.links.values()) if (isReady(other)) this.probe(other);\n',
    witnesses: LINKED,
    only: 'prove that they are alive',
  },
  {
    name: 'a-link-that-waits-for-an-answer-is-not-asked',
    defence: 'Without it a read that waits for tasks is taken for a dead link.',
    file: NODE_LINKS,
    take: '    if (link.commandQueue.length > 0) return;\n',
    witnesses: LINKED,
    only: 'theirs is another limit',
  },
  {
    name: 'a-connection-that-is-not-answered-is-ended',
    defence: 'Without it a link to a frozen server is being made for ever.',
    file: HANDSHAKE,
    take: '  limitHandshake(link);\n',
    witnesses: SILENCE,
    only: 'not answered',
  },
  {
    name: 'another-database-is-not-the-one-asked-for',
    defence: 'Without it tasks are written to the first database where the one asked for does not exist.',
    file: HANDSHAKE,
    take: '  refuseOtherDatabase(link);\n',
    witnesses: [...LINKED, 'test/integration/boot.spec.ts'],
  },
  {
    name: 'upkeep-does-not-outlive-its-link',
    defence:
      'Without it a sweep decided on before an outage is carried out after it, when all leases seem over.',
    file: NODE_LINKS,
    take: "if (role === 'blocking' || !this.opened.has(name)) await",
    by: 'await',
    witnesses: RESENDING,
  },
  {
    name: 'a-client-that-gave-up-is-started-again',
    defence: 'Without it a link that was told to go while it asked a Sentinel never comes back.',
    file: NODE_LINKS,
    take: "    link.on('end', () => this.revive(name, link));\n",
    witnesses: ['test/integration/sentinel.spec.ts'],
    only: 'let go of its socket',
  },
  {
    name: 'a-primary-that-was-demoted-is-left',
    defence: 'Without it writes go to a replica, and fail, until its connection happens to break.',
    file: NODE_LINKS,
    take: '(DEMOTED.test(error.message) ? 1 : false)',
    by: 'false',
    witnesses: LINKED,
  },
  {
    name: 'a-failover-is-heard-of',
    defence: 'Without it a client goes on with a primary that hangs for as long as its socket is open.',
    file: NODE_LINKS,
    take: 'failoverDetector: true,',
    by: 'failoverDetector: false,',
    witnesses: ['test/integration/failover-heard.spec.ts'],
  },
  {
    name: 'reconnects-are-spread',
    defence: 'Without it a fleet comes back as one, and Redis is gone again.',
    file: NODE_LINKS,
    take: 'longest * this.parts.random()',
    by: 'longest',
    witnesses: [`${REDIS}/reconnect-pauses.spec.ts`],
  },
  {
    name: 'another-server-is-known-as-one',
    defence: 'Without it leases are swept on a server that has not heard of their renewal.',
    file: NODE_LINKS,
    take: 'elsewhere ? Number.POSITIVE_INFINITY : silentMs',
    by: 'silentMs',
    witnesses: LINKED,
  },
  {
    name: 'a-script-that-is-not-known-is-sent-whole',
    defence: 'Without it nothing works any more after a restart of Redis.',
    file: `${REDIS}/run-script.ts`,
    take: 'if (!isUnknownScript(error)) throw error;',
    by: 'throw error;',
    witnesses: ['test/broker/script-cache.spec.ts'],
  },
  {
    name: 'a-queue-on-the-move-is-waited-for',
    defence: 'Without it moving a slot fails calls that would succeed a moment later.',
    file: CALLS,
    take: "role !== 'maintenance' && ON_ITS_WAY.has(reason)",
    by: 'false',
    witnesses: CALLED,
  },
  {
    name: 'a-queue-that-has-moved-is-followed',
    defence: 'Without it every call fails until somebody happens to look where its queue is now.',
    file: CALLS,
    take: "reason === 'MOVED' ? follow : ",
    by: "reason !== 'MOVED' && ",
    witnesses: CALLED,
  },
  {
    name: 'upkeep-is-not-sent-after-a-queue-that-moves',
    defence: 'Without it a sweep that was decided on for one server is carried out on another.',
    file: CALLS,
    take: "role !== 'maintenance' && ON_ITS_WAY.has(reason)",
    by: 'ON_ITS_WAY.has(reason)',
    witnesses: CALLED,
  },
  {
    name: 'a-queue-that-moved-is-a-link-that-was-lost',
    defence: 'Without it a queue that has moved is swept on a server that has heard of no renewal.',
    file: CLUSTER,
    take: "    for (const role of ['commands', 'maintenance', 'blocking'] as const)\n      this.tell(role, Number.POSITIVE_INFINITY, awayMs);\n",
    witnesses: MANY,
  },
  {
    name: 'a-read-does-not-wait-where-a-queue-was',
    defence: 'Without it a worker waits where its queue was, and hears nothing of it.',
    file: CLUSTER,
    take: '      for (const part of this.partsOf(queue)) void left?.dropPart(part);\n',
    witnesses: ['test/integration/cluster.spec.ts'],
    only: 'follows its queue',
  },
  {
    name: 'an-absence-begins-with-the-first-silence',
    defence: 'Without it a server that hung for a minute before its link broke was hardly away.',
    file: ABSENCE,
    take: '    this.goneSince(link, Math.max(this.heardAt, monotonicMs() - this.longestWaitMs));\n',
    witnesses: [`${REDIS}/absence.spec.ts`],
  },
  {
    name: 'an-absence-goes-on-over-every-try',
    defence: 'Without it only the last try to connect counts.',
    file: ABSENCE,
    take: 'Math.min(since, this.since.get(link) ?? since)',
    by: 'since',
    witnesses: [`${REDIS}/absence.spec.ts`],
  },
  {
    name: 'a-server-that-loads-is-waited-for',
    defence: 'Without it a restart of Redis is an error to every caller.',
    file: ERRORS,
    take: "LOADING: { reaction: 'retry' }",
    by: "LOADING: { reaction: 'report' }",
    witnesses: ['test/integration/error-replies.spec.ts'],
    only: 'written down here',
  },
  {
    name: 'a-full-redis-is-told-at-once',
    defence: 'Without it callers wait for memory that nobody frees for them.',
    file: ERRORS,
    take: "OOM: { reaction: 'refuse'",
    by: "OOM: { reaction: 'retry'",
    witnesses: CODES,
  },
  {
    name: 'an-answer-that-nobody-foresaw-is-not-repeated',
    defence: 'Without it what can never succeed is tried until the time is over.',
    file: ERRORS,
    take: "= { reaction: 'report' };",
    by: "= { reaction: 'retry' };",
    witnesses: CODES,
  },
  {
    name: 'an-error-quotes-no-arguments',
    defence: 'Without it payloads are in every log that has an error of Redis.',
    file: ERRORS,
    take: ".replace(/,? with args beginning with:.*$/s, '')",
    witnesses: CODES,
  },
  {
    name: 'a-place-is-shown-without-its-password',
    defence: 'Without it the password is in the first line of the log.',
    file: `${REDIS}/endpoint.ts`,
    take: '({ path, host, port, sentinels, name }: Endpoint): string {\n  if (!sentinels) return path',
    by: '({ path, host, port, password, sentinels, name }: Endpoint): string {\n  if (!sentinels) return password ?? path',
    witnesses: [`${REDIS}/endpoint.spec.ts`],
    only: 'never shows a user or password',
  },
  {
    name: 'what-a-read-brings-from-another-era-is-nobodys',
    defence: 'Without it a start has the fence of one that was forgotten.',
    file: FETCHES,
    take: '      else if (era !== current[queues.indexOf(queue)]) eras.forget(queue);\n',
    witnesses: ERA,
  },
  {
    name: 'the-era-is-known-before-anything-is-leased',
    defence: 'Without it a settlement leases under the era of a run that is over.',
    file: BROKER,
    take: '    if (request.want.total > 0 && !this.eras.has(queue)) await this.eras.of(queue);\n',
    witnesses: ERA,
  },
  {
    name: 'a-sweep-asks-for-the-era-first',
    defence: 'Without it a task that is taken over has the fence of a start that was forgotten.',
    file: BROKER,
    take: 'const { queue } = request;\n    await this.eras.of(queue);',
    by: 'const { queue } = request;',
    witnesses: ERA,
  },
  {
    name: 'an-era-is-asked-for-anew-after-a-reconnect',
    defence: 'Without it a server that has forgotten deliveries is taken for the one before.',
    file: ERAS,
    take: '      this.eras.clear();\n',
    witnesses: ERA,
  },
  {
    name: 'deliveries-that-crossed-a-reconnect-are-doubted',
    defence: 'Without it a start has a fence of the run before, which may have been given already.',
    file: ERAS,
    take: 'if (!first || this.reconnects === connection) return deliveries;',
    by: 'return deliveries;',
    witnesses: [`${REDIS}/eras.spec.ts`],
  },
  {
    name: 'what-is-known-is-of-the-connection-that-is-read',
    defence: 'Without it an era that was asked for before the link broke is that of what is read after it.',
    file: READER,
    take: '    demandSame(link, connection);\n',
    witnesses: [`${REDIS}/blocking-reader.spec.ts`],
  },
  {
    name: 'eras-are-of-the-connection-that-was-read',
    defence: 'Without it a server that was not asked for its own era vouches for what another has delivered.',
    file: READER,
    take: '      demandSame(link, connection); // else',
    by: '      // else',
    witnesses: [`${REDIS}/blocking-reader.spec.ts`],
  },
  {
    name: 'time-is-that-of-redis',
    defence: 'Without it what a worker stamps and judges depends on the clock of its host.',
    file: BROKER,
    take: '    this.clock.heard(queue, now, sentAt, monotonicMs());\n',
    witnesses: ['test/integration/server-time.spec.ts'],
  },
];
