import type { Removal } from '../removal.js';

const SCRIPTS = 'libs/core/src/redis/scripts';
const EXTEND = `${SCRIPTS}/extend.lua`;
const RECLAIM = `${SCRIPTS}/reclaim.lua`;
const SWEEPS_DUE = `${SCRIPTS}/sweeps-due.lua`;
const REMOVE_CONSUMER = `${SCRIPTS}/remove-consumer.lua`;

const SWEEP = ['test/broker/reclaim.spec.ts'];
const PAGES = ['test/broker/reclaim-pages.spec.ts'];
const PORT = ['test/broker/conformance.spec.ts'];

/** Defences of leases: who may renew one, and who may take one over. */
export const leaseScriptRemovals: readonly Removal[] = [
  {
    name: 'a-lease-is-renewed-by-its-owner',
    defence: 'Without it the heartbeat of a worker that has lost a task steals it back.',
    file: EXTEND,
    take: 'entry, entry, 1, ARGV[1])',
    by: 'entry, entry, 1)',
    witnesses: ['test/broker/extend.spec.ts'],
  },
  {
    name: 'a-lease-is-renewed-by-its-delivery',
    defence: 'Without it a start that is over keeps the next one’s lease alive in the same process.',
    file: EXTEND,
    take: ' and row[1][4] == tonumber(ARGV[i + 2])',
    witnesses: ['test/broker/extend.spec.ts'],
  },
  {
    name: 'renewing-is-no-delivery',
    defence: 'Without it every heartbeat counts as a death, and a long task ends as a crash loop.',
    file: EXTEND,
    take: "    claim[#claim + 1] = 'JUSTID'\n",
    witnesses: ['test/broker/extend.spec.ts'],
  },
  {
    name: 'no-lease-is-taken-before-it-is-over',
    defence: 'Without it every sweep takes tasks from workers that live.',
    file: RECLAIM,
    take: "'IDLE', ARGV[2], from",
    by: "'IDLE', 0, from",
    witnesses: SWEEP,
  },
  {
    name: 'nothing-is-taken-from-oneself-that-is-being-run',
    defence: 'Without it a worker whose heartbeat was late starts its own running tasks once more.',
    file: RECLAIM,
    take: 'if name == consumer then',
    by: 'if false then',
    witnesses: SWEEP,
  },
  {
    name: 'a-stray-is-ones-own',
    defence: 'Without it a worker that looks for what it has lost takes what others are at work on.',
    file: RECLAIM,
    take: 'local row = silent(lane, ARGV[i + 1], ARGV[i + 1], 1, consumer)[1]',
    by: "local row = redis.call('XPENDING', KEYS[lane], 'workers', 'IDLE', ARGV[2], ARGV[i + 1], ARGV[i + 1], 1)[1]",
    witnesses: [...SWEEP, ...PORT],
  },
  {
    name: 'a-sweep-that-comes-late-takes-nothing',
    defence: 'Without it a sweep that waited behind others runs when every lease seems to be over.',
    file: RECLAIM,
    take: "if late == 1 and what ~= 'released' then return { now, 0, 1, 0, '', '', 0, {}, {} } end\n",
    witnesses: [...SWEEP, ...PORT],
  },
  {
    name: 'a-look-that-comes-late-says-so',
    defence: 'Without it sweeps follow that are in time, when every lease seems to be over.',
    file: SWEEPS_DUE,
    take: "if ARGV[2] ~= '' and now > tonumber(ARGV[2]) then return { now, 1 } end\n",
    witnesses: PORT,
  },
  {
    name: 'a-look-goes-past-a-gate-of-a-clock-that-was-ahead',
    defence: 'Without it nobody sweeps for as long as the clock of Redis had been ahead.',
    file: SWEEPS_DUE,
    take: ' or next_sweep > now + ARGV[1]',
    witnesses: PORT,
  },
  {
    name: 'a-suspect-is-left-while-one-runs',
    defence: 'Without it two tasks that kill their process take turns in it.',
    file: RECLAIM,
    take: 'if suspect and suspects == 0 then',
    by: 'if false then',
    witnesses: SWEEP,
  },
  {
    name: 'suspects-are-taken-one-at-a-time',
    defence: 'Without it a sweep takes all tasks that may kill their process into the same one.',
    file: RECLAIM,
    take: '  if suspect then suspects = suspects - 1 end\n',
    witnesses: SWEEP,
  },
  {
    name: 'no-more-is-taken-over-than-there-are-slots',
    defence: 'Without it a worker takes tasks of the dead that it cannot start.',
    file: RECLAIM,
    take: 'if wanted == 0 then',
    by: 'if false then',
    witnesses: PAGES,
  },
  {
    name: 'what-is-left-is-counted',
    defence: 'Without it no slot is kept for it, and a queue that is never empty keeps it waiting.',
    file: RECLAIM,
    take: '    left = left + 1\n    return true',
    by: '    return true',
    witnesses: PAGES,
  },
  {
    name: 'whoever-leaves-something-wakes-a-peer',
    defence: 'Without it tasks of the dead wait for the next sweep though others have free slots.',
    file: RECLAIM,
    take: "  if #taken > 0 then redis.call('XADD', KEYS[5], 'MAXLEN', 8, '*', 'why', 'released') end\n",
    witnesses: [...SWEEP, ...PORT],
  },
  {
    name: 'a-sweep-that-left-something-is-followed-at-once',
    defence: 'Without it what was left waits until the gate opens again.',
    file: RECLAIM,
    take: "  redis.call('HDEL', KEYS[4], 'nextSweepAt')\n",
    witnesses: PAGES,
  },
  {
    name: 'a-sweep-is-not-repeated-by-everybody',
    defence: 'Without it each of a hundred workers walks the whole pending list.',
    file: RECLAIM,
    take: "  if next_sweep > now and next_sweep <= now + every then return { now, 0, 0, 0, '', '', 0, {}, {} } end\n",
    witnesses: PAGES,
  },
  {
    name: 'a-gate-of-a-clock-that-was-ahead-is-open',
    defence: 'Without it nobody sweeps for as long as the clock of Redis had been ahead.',
    file: RECLAIM,
    take: ' and next_sweep <= now + every',
    witnesses: [...PAGES, ...PORT],
  },
  {
    name: 'a-sweep-looks-at-a-page',
    defence: 'Without it one script call holds up Redis for as long as the pending list is long.',
    file: RECLAIM,
    take: 'local PAGE = 100\n',
    by: 'local PAGE = 100000\n',
    witnesses: [...PAGES, ...PORT],
  },
  {
    name: 'a-sweep-walks-no-further-than-it-may',
    defence: 'Without it a hundred workers with a thousand tasks each are one long call.',
    file: RECLAIM,
    take: ' or (walked > 0 and walked + held > WALK)',
    witnesses: [...PAGES, ...SWEEP, ...PORT],
  },
  {
    name: 'a-sweep-goes-on-where-it-stopped',
    defence: 'Without it a page full of tasks that cannot be taken hides all behind it.',
    file: RECLAIM,
    take: '          after = row[1]\n',
    witnesses: [...PAGES, ...PORT],
  },
  {
    name: 'an-entry-that-was-deleted-is-dropped',
    defence: 'Without it an entry that somebody deleted stops every sweep that meets it.',
    file: RECLAIM,
    take: '  if not claimed[1] then return false end\n',
    witnesses: SWEEP,
  },
  {
    name: 'more-that-was-handed-back-is-told-of',
    defence: 'Without it what a large worker gives back beyond a page waits for the next sweep.',
    file: RECLAIM,
    take: '      left = left + 1 -- there may be more\n',
    witnesses: [...SWEEP, ...PORT],
  },
  {
    name: 'a-consumer-that-holds-something-stays',
    defence: 'Without it its tasks are out of everybody’s reach: Redis forgets what it held.',
    file: REMOVE_CONSUMER,
    take: '  if not page.err and page[1] then return 0 end\n',
    witnesses: ['test/broker/consumers.spec.ts'],
  },
  {
    name: 'a-consumer-that-goes-leaves-its-duty',
    defence: 'Without it nobody promotes until the duty of the one that left is over.',
    file: REMOVE_CONSUMER,
    take: "if redis.call('HGET', KEYS[5], 'promoter') == ARGV[1] then redis.call('HDEL', KEYS[5], 'promoter', 'promoterUntil') end",
    witnesses: ['test/broker/promote.spec.ts'],
  },
  {
    name: 'a-consumer-that-goes-leaves-the-duty-of-others',
    defence: 'Without it every worker that stops takes the duty from the one that has it.',
    file: REMOVE_CONSUMER,
    take: "if redis.call('HGET', KEYS[5], 'promoter') == ARGV[1] then",
    by: 'if true then',
    witnesses: ['test/broker/promote.spec.ts', 'test/broker/consumers.spec.ts', ...PORT],
  },
];
