import type { Removal } from '../removal.js';

const SCRIPTS = 'libs/core/src/redis/scripts';
const DUE = `${SCRIPTS}/due.lua`;
const PROMOTE = `${SCRIPTS}/promote.lua`;
const ENSURE = `${SCRIPTS}/ensure.lua`;
const REPLAY = `${SCRIPTS}/replay.lua`;
const DELETE_DEAD = `${SCRIPTS}/delete-dead.lua`;
const PROMOTIONS = 'libs/core/src/redis/promotions.ts';
const TAKE_DUTIES = `${SCRIPTS}/take-duties.lua`;
const CLEANING = `${SCRIPTS}/cleaning-due.lua`;
const COUNTS = `${SCRIPTS}/counts.lua`;

const PROMOTED = ['test/broker/promote.spec.ts'];
const SURVEYS = ['test/broker/surveys.spec.ts'];
const MADE = ['test/broker/ensure-queue.spec.ts'];
const LETTERS = ['test/broker/dead-letters.spec.ts'];
const ORDER = ['test/broker/write-order.spec.ts'];
const PORT = ['test/broker/conformance.spec.ts'];

/** Defences of what waits, of what is dead, and of the streams themselves. */
export const shelfScriptRemovals: readonly Removal[] = [
  {
    name: 'one-consumer-has-the-duty',
    defence: 'Without it every worker asks every second for the same tasks.',
    file: DUE,
    take: "if not free and ARGV[3] ~= '1' then return { now, 0, -1, {} } end\n",
    witnesses: PROMOTED,
  },
  {
    name: 'a-duty-ends',
    defence: 'Without it no delayed task ever runs after the worker with the duty was killed.',
    file: DUE,
    take: ' or ends <= now',
    witnesses: PROMOTED,
  },
  {
    name: 'a-duty-of-a-clock-that-was-ahead-is-free',
    defence: 'Without it nobody promotes for as long as the clock of Redis had been ahead.',
    file: DUE,
    take: ' or ends > now + ARGV[2]',
    witnesses: [...PROMOTED, ...PORT],
  },
  {
    name: 'a-look-around-leaves-duties-to-those-who-have-them',
    defence: 'Without it every worker promotes the same tasks at the same moment.',
    file: TAKE_DUTIES,
    take: 'if not duty[1] or duty[1] == ARGV[1] or ends <= now or ends > now + ARGV[2] then',
    by: 'if true then',
    witnesses: PORT,
  },
  {
    name: 'a-look-around-takes-duties-that-have-ended',
    defence: 'Without it no delayed task ever runs after the worker with the duty was killed.',
    file: TAKE_DUTIES,
    take: ' or ends <= now',
    witnesses: PORT,
  },
  {
    name: 'a-look-around-takes-duties-of-a-clock-that-was-ahead',
    defence: 'Without it nobody promotes for as long as the clock of Redis had been ahead.',
    file: TAKE_DUTIES,
    take: ' or ends > now + ARGV[2]',
    witnesses: PORT,
  },
  {
    name: 'a-queue-that-cannot-be-read-keeps-no-duty-from-others',
    defence: 'Without it one key that holds something else stops the delayed tasks of every queue.',
    file: TAKE_DUTIES,
    take: "redis.pcall('ZRANGE', KEYS[i]",
    by: "redis.call('ZRANGE', KEYS[i]",
    witnesses: SURVEYS,
  },
  {
    name: 'a-consumer-that-lives-is-nothing-to-clean-up',
    defence: 'Without it the janitor of every worker asks about each queue by itself, again and again.',
    file: CLEANING,
    take: ' and ms >= tonumber(ARGV[2])',
    witnesses: PORT,
  },
  {
    name: 'a-look-for-what-is-gone-ends-somewhere',
    defence: 'Without it a thousand consumers in each of fifty queues are one long call.',
    file: CLEANING,
    take: '  if seen >= MOST_CONSUMERS then break end\n',
    witnesses: SURVEYS,
  },
  {
    name: 'what-is-due-comes-by-the-page',
    defence: 'Without it a backlog of a million due tasks is one call.',
    file: DUE,
    take: ", 'LIMIT', 0, ARGV[4])",
    by: ')',
    witnesses: PROMOTED,
  },
  {
    name: 'what-is-due-is-moved-by-the-mebibyte',
    defence: 'Without it a hundred large tasks that are due at once hold up Redis for tens of milliseconds.',
    file: PROMOTE,
    take: '  budget = budget - #task\n',
    witnesses: ['test/integration/promoter.spec.ts'],
  },
  {
    name: 'a-task-left-for-the-next-call-is-due-now',
    defence: 'Without it the rest of a page of large tasks waits for the next look of the promoter.',
    file: PROMOTIONS,
    take: 'looked < ids.length ? 0 : nextInMs',
    by: 'nextInMs',
    witnesses: ['test/integration/promoter.spec.ts'],
  },
  {
    name: 'letters-are-replayed-by-the-mebibyte',
    defence: 'Without it a hundred large dead letters hold up Redis for tens of milliseconds.',
    file: REPLAY,
    take: '      budget = budget - #letter[2][n + 1]\n',
    witnesses: ['test/integration/dead-letter.spec.ts'],
  },
  {
    name: 'nothing-is-promoted-before-it-is-due',
    defence: 'Without it a task that was moved to a later time meanwhile runs too early.',
    file: PROMOTE,
    take: 'if due[n] and tonumber(due[n]) <= now then',
    by: 'if due[n] then',
    witnesses: [...PROMOTED, ...PORT],
  },
  {
    name: 'a-task-that-cannot-be-read-is-buried',
    defence: 'Without it one unreadable task keeps all that are due behind it from running.',
    file: PROMOTE,
    take: 'if LANE[lane] then',
    by: 'if task then',
    witnesses: PROMOTED,
  },
  {
    name: 'a-due-task-is-on-its-lane-before-it-leaves',
    defence: 'Without it a promotion that stops half-way loses the task.',
    file: PROMOTE,
    take: "  local task = redis.call('HGET', KEYS[5], id)\n",
    by: "  local task = redis.call('HGET', KEYS[5], id)\n  redis.call('ZREM', KEYS[4], id)\n",
    witnesses: ORDER,
  },
  {
    name: 'what-was-promoted-leaves-even-if-the-next-fails',
    defence: 'Without it a task that cannot be promoted has those before it promoted again and again.',
    file: PROMOTE,
    take: 'local done, why = pcall(move, id, tonumber(ARGV[n * 3]), ARGV[n * 3 + 1])',
    by: 'local done, why = true, move(id, tonumber(ARGV[n * 3]), ARGV[n * 3 + 1])',
    witnesses: ORDER,
  },
  {
    name: 'a-promotion-that-fails-says-so',
    defence: 'Without it nobody hears that tasks which are due do not get any further.',
    file: PROMOTE,
    take: 'if failure then return redis.error_reply(failure) end\n',
    witnesses: ORDER,
  },
  {
    name: 'a-promoted-task-leaves-no-data',
    defence: 'Without it every delayed task that ever was stays in Redis.',
    file: PROMOTE,
    take: "  redis.call('HDEL', KEYS[5], unpack(gone))\n",
    witnesses: PROMOTED,
  },
  {
    name: 'a-promoted-task-is-known-to-the-index',
    defence: 'Without it a task that runs after its delay is looked for where it was.',
    file: PROMOTE,
    take: "  redis.call('HSET', KEYS[bucket], field, entry)\n",
    witnesses: PROMOTED,
  },
  {
    name: 'a-key-of-others-is-refused',
    defence: 'Without it a queue begins to work on keys that hold something else, and fails in the middle.',
    file: ENSURE,
    take: "if kind ~= 'none' and kind ~= KIND[key] then",
    by: 'if false then',
    witnesses: MADE,
  },
  {
    name: 'a-group-begins-with-the-first-entry',
    defence: 'Without it tasks that came before the group, or outlived its loss, are never delivered.',
    file: ENSURE,
    take: "'workers', '0', 'MKSTREAM'",
    by: "'workers', '$', 'MKSTREAM'",
    witnesses: MADE,
  },
  {
    name: 'another-run-of-the-server-is-another-era',
    defence: 'Without it a fence is given twice when a restart has forgotten deliveries.',
    file: ENSURE,
    take: ' or control[2] ~= run',
    witnesses: ['test/broker/eras.spec.ts', ...PORT],
  },
  {
    name: 'a-group-made-again-is-another-era',
    defence: 'Without it a fence is given twice, since a new group counts deliveries from one.',
    file: ENSURE,
    take: 'made > 0 or ',
    witnesses: ['test/broker/eras.spec.ts', ...MADE, ...PORT],
  },
  {
    name: 'an-era-is-a-time',
    defence: 'Without it an era that was lost with the data is given again, and fences with it.',
    file: ENSURE,
    take: "math.max(era + 1, redis.call('TIME')[1] - YEAR_2026)",
    by: 'era + 1',
    witnesses: ['test/broker/eras.spec.ts', ...PORT],
  },
  {
    name: 'a-dead-letter-is-replayed-once',
    defence: 'Without it a replay leaves the letter, and the next one makes the task once more.',
    file: REPLAY,
    take: "      redis.call('XDEL', KEYS[4], ARGV[i])\n",
    witnesses: LETTERS,
  },
  {
    name: 'a-replayed-task-is-written-before-its-letter-goes',
    defence: 'Without it a replay that stops half-way loses the task.',
    file: REPLAY,
    take: "      local entry = redis.call('XADD', KEYS[LANE[lane]]",
    by: "      redis.call('XDEL', KEYS[4], ARGV[i])\n      local entry = redis.call('XADD', KEYS[LANE[lane]]",
    witnesses: ORDER,
  },
  {
    name: 'a-letter-of-others-is-left-alone',
    defence: 'Without it one letter that cannot be read stops a replay of all.',
    file: REPLAY,
    take: '  if not (f.id and f.type and f.payload) then return nil end\n',
    witnesses: [...LETTERS, ...PORT],
  },
  {
    name: 'a-letter-takes-its-own-place-with-it',
    defence: 'Without it deleting a letter makes the queue forget the task that was replayed from it.',
    file: DELETE_DEAD,
    take: "redis.call('HGET', bucket, field) == 'd' .. ARGV[i]",
    by: 'true',
    witnesses: [...LETTERS, ...PORT],
  },
  {
    name: 'what-was-handed-back-counts-as-ready',
    defence: 'Without it a queue whose worker has just stopped seems to be at work.',
    file: COUNTS,
    take: 'ready[lane] = length - pending + released',
    by: 'ready[lane] = length - pending',
    witnesses: PORT,
  },
];
