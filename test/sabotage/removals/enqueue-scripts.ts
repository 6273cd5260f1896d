import type { Removal } from '../removal.js';

const SCRIPTS = 'libs/core/src/redis/scripts';
const ENQUEUE = `${SCRIPTS}/enqueue.lua`;
const RESOLVE = `${SCRIPTS}/resolve.lua`;
const CONFIRM = `${SCRIPTS}/confirm.lua`;

const GROUPS = ['test/broker/enqueue.spec.ts', 'test/broker/lost-groups.spec.ts'];
const DEDUPE = ['test/broker/enqueue-dedupe.spec.ts'];
const FULL = ['test/broker/enqueue-full.spec.ts'];
const INDEX = ['test/broker/index.spec.ts'];
const PORT = ['test/broker/conformance.spec.ts'];

/** Defences on the way in: what is written, once, and what is refused. */
export const enqueueScriptRemovals: readonly Removal[] = [
  {
    name: 'a-group-sent-twice-is-applied-once',
    defence: 'Without it a lost reply makes a second task.',
    file: ENQUEUE,
    take: 'if sequence == ARGV[1] then return answer end\n  known',
    by: 'known',
    witnesses: GROUPS,
  },
  {
    name: 'a-late-group-is-refused',
    defence: 'Without it a try that overtakes nothing any more writes its tasks once again.',
    file: ENQUEUE,
    take: "  if known > tonumber(ARGV[1]) then return 'late' end\n",
    witnesses: GROUPS,
  },
  {
    name: 'lost-groups-are-named',
    defence: 'Without it nobody hears that Redis has lost tasks which it had accepted.',
    file: ENQUEUE,
    take: "if known < tonumber(ARGV[4]) then answer = '!' .. known .. ' ' .. answer end\n",
    witnesses: GROUPS,
  },
  {
    name: 'a-loss-that-nobody-heard-of-is-told-again',
    defence: 'Without it a loss is never told of when the answer that told of it was lost, too.',
    file: ENQUEUE,
    take: '  if less and tonumber(ARGV[4]) < known then known = tonumber(less) end\n',
    witnesses: GROUPS,
  },
  {
    name: 'a-record-of-a-channel-expires',
    defence: 'Without it every producer that ever was leaves a key behind for good.',
    file: ENQUEUE,
    take: " .. answer, 'PX', ARGV[3])",
    by: ' .. answer)',
    witnesses: GROUPS,
  },
  {
    name: 'a-full-queue-refuses',
    defence: 'Without it a queue grows until Redis has no memory left.',
    file: ENQUEUE,
    take: 'math.max(0, math.min(number, room))',
    by: 'tonumber(number)',
    witnesses: FULL,
  },
  {
    name: 'a-full-queue-refuses-tasks-by-themselves',
    defence: 'Without it tasks with a key or an id of their own fill a queue that is full.',
    file: ENQUEUE,
    take: "    if room < 1 then return 'f1' end\n",
    witnesses: FULL,
  },
  {
    name: 'a-group-takes-no-more-than-the-room-there-is',
    defence: 'Without it the last group before a queue is full goes beyond the bound.',
    file: ENQUEUE,
    take: '  room = room - fits\n',
    witnesses: FULL,
  },
  {
    name: 'active-tasks-take-no-room',
    defence: 'Without it a queue is full while all of its tasks are being run.',
    file: ENQUEUE,
    take: 'for lane = 1, 3 do ready = ready - active(lane) end',
    witnesses: FULL,
  },
  {
    name: 'what-was-handed-back-takes-room',
    defence: 'Without it a worker that stops makes room for tasks beyond the bound.',
    file: ENQUEUE,
    take: "    if holder[1] == 'released' then count = count - holder[2] end\n",
    witnesses: [...FULL, ...PORT],
  },
  {
    name: 'an-idempotency-key-is-looked-up',
    defence: 'Without it two calls with one key are two tasks.',
    file: ENQUEUE,
    take: "if idempotency ~= '' then",
    by: 'if false then',
    witnesses: DEDUPE,
  },
  {
    name: 'an-idempotency-key-of-another-payload-is-a-conflict',
    defence: 'Without it a second order under the first one’s key is taken for the first, and never run.',
    file: ENQUEUE,
    take: "(fingerprint == ARGV[i + 5] and 'd' or 'c')",
    by: "('d')",
    witnesses: DEDUPE,
  },
  {
    name: 'an-idempotency-key-expires',
    defence: 'Without it keys are kept for good, and a call long after its window is none.',
    file: ENQUEUE,
    take: ", 'PX', ARGV[i + 6])",
    by: ')',
    witnesses: DEDUPE,
  },
  {
    name: 'a-unique-key-is-looked-up',
    defence: 'Without it an equal task is enqueued beside one that is unfinished.',
    file: ENQUEUE,
    take: "if unique ~= '' then",
    by: 'if false then',
    witnesses: DEDUPE,
  },
  {
    name: 'a-unique-key-holds-until-its-task-is-due',
    defence: 'Without it the key of a task that is delayed for long is gone before the task has run.',
    file: ENQUEUE,
    take: 'ARGV[i + 8] + wait)',
    by: 'ARGV[i + 8])',
    witnesses: [...DEDUPE, ...PORT],
  },
  {
    name: 'an-id-that-the-queue-knows-is-a-duplicate',
    defence: 'Without it a call that is repeated after an unknown outcome makes a second task.',
    file: ENQUEUE,
    take: "if #field > 1 then return redis.call('HEXISTS', KEYS[bucket], field) == 1 end",
    by: 'if #field > 1 then return false end',
    witnesses: DEDUPE,
  },
  {
    name: 'an-id-of-ours-is-found-among-its-neighbours',
    defence: 'Without it a call that is repeated with the id of an unknown outcome makes a second task.',
    file: ENQUEUE,
    take: 'return run and stands(run[1], run[2], run[3], id)',
    by: 'return false',
    witnesses: PORT,
  },
  {
    name: 'a-place-where-nothing-stands-is-no-task',
    defence: 'Without it an id stays taken for as long as a neighbour of the task lives.',
    file: ENQUEUE,
    take: "return stands(kind == 'd' and KEYS[8] or KEYS[LANE[kind]], first, first)",
    by: 'return true',
    witnesses: INDEX,
  },
  {
    name: 'a-sooner-task-wakes-whoever-has-the-duty',
    defence: 'Without it a task is promoted as late as the promoter’s sleep is long.',
    file: ENQUEUE,
    take: '  if at < head then woken, head = true, at end\n',
    witnesses: GROUPS,
  },
  {
    name: 'a-place-of-its-own-is-counted',
    defence:
      'Without it the places of tasks that ended stay in the index for ever, or go before their tasks.',
    file: ENQUEUE,
    take: "for bucket, number in pairs(placed) do redis.call('HINCRBY', KEYS[bucket], '#', number) end\n",
    witnesses: [...INDEX, ...PORT],
  },
  {
    name: 'the-wake-stream-is-short',
    defence: 'Without it nudges that nobody reads fill the memory of Redis.',
    file: ENQUEUE,
    take: "'MAXLEN', 8, '*', 'why', 'due'",
    by: "'*', 'why', 'due'",
    witnesses: ['test/broker/fetch.spec.ts', ...PORT],
  },
  {
    name: 'a-group-that-was-applied-is-told-of-when-asked-about',
    defence: 'Without it a task that was accepted is taken for one that was not, and enqueued again.',
    file: RESOLVE,
    take: '  if sequence == ARGV[1] then return answer end\n',
    witnesses: PORT,
  },
  {
    name: 'a-group-that-was-given-up-never-comes',
    defence:
      'Without it a try still on its way writes a task of which the caller was told that it is not there.',
    file: RESOLVE,
    take: "redis.call('SET', KEYS[1], ARGV[1] .. ' -' .. known, 'PX', ARGV[2])\n",
    witnesses: PORT,
  },
  {
    name: 'a-question-that-comes-late-changes-nothing',
    defence: 'Without it a question still on its way makes Redis forget the groups that came since.',
    file: RESOLVE,
    take: "  if tonumber(sequence) > tonumber(ARGV[1]) then return 'late' end\n",
    witnesses: PORT,
  },
  {
    name: 'a-group-is-confirmed-by-its-own-sequence',
    defence: 'Without it a group that a failover has lost is confirmed by an older one of its channel.',
    file: CONFIRM,
    take: "record and record:match('^(%d+) ') == ARGV[i + 1] and 1 or 0",
    by: 'record and 1 or 0',
    witnesses: ['test/broker/confirm.spec.ts'],
  },
  {
    name: 'a-wait-covers-what-other-connections-wrote',
    defence: 'Without it a wait on a connection that has written nothing is over at once.',
    file: CONFIRM,
    take: "  if known[i] == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end\n",
    witnesses: ['test/broker/confirm.spec.ts'],
  },
];
