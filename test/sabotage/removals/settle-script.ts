import type { Removal } from '../removal.js';

const SETTLE = 'libs/core/src/redis/scripts/settle.lua';

const FENCING = ['test/broker/settle-fencing.spec.ts'];
const RETRY = ['test/broker/settle-retry.spec.ts'];
const FETCH = ['test/broker/settle-fetch.spec.ts'];
const COMPLETE = ['test/broker/settle-complete.spec.ts'];
const RELEASE = ['test/broker/settle-release.spec.ts'];
const DEDUPE = ['test/broker/enqueue-dedupe.spec.ts'];
const ORDER = ['test/broker/write-order.spec.ts'];
const PORT = ['test/broker/conformance.spec.ts'];

/** Defences of outcomes: whose they are, that they count once, and that no task is nowhere meanwhile. */
export const settleScriptRemovals: readonly Removal[] = [
  {
    name: 'an-outcome-is-the-owners',
    defence: 'Without it a worker that has lost a task completes it under the hands of another.',
    file: SETTLE,
    take: 'entry, entry, 1, consumer)',
    by: 'entry, entry, 1)',
    witnesses: FENCING,
  },
  {
    name: 'outcomes-of-a-group-are-the-owners',
    defence: 'Without it the same happens wherever several outcomes travel together.',
    file: SETTLE,
    take: 'count * 2 + 16, consumer)',
    by: 'count * 2 + 16)',
    witnesses: FENCING,
  },
  {
    name: 'an-outcome-is-of-this-delivery',
    defence: 'Without it a start that was given up ends the one that came after it in the same process.',
    file: SETTLE,
    take: 'if known ~= tonumber(delivery) then',
    by: 'if not known then',
    witnesses: FENCING,
  },
  {
    name: 'a-task-is-settled-once-in-a-group',
    defence: 'Without it a task that is named twice is applied twice: retried and dead at once.',
    file: SETTLE,
    take: "  owned[lane][entry] = 'settled'\n  return true",
    by: '  return true',
    witnesses: FENCING,
  },
  {
    name: 'a-refused-outcome-is-told',
    defence: 'Without it a worker that has lost a task announces it as completed.',
    file: SETTLE,
    take: '    stale[#stale + 1] = position\n',
    witnesses: FENCING,
  },
  {
    name: 'a-refusal-says-whether-the-task-is-still-there',
    defence: 'Without it a task that a peer works on is announced as completed after a lost answer.',
    file: SETTLE,
    take: 'if not one.err and one[1] then leased[#leased + 1] = position end',
    witnesses: [...FENCING, ...PORT],
  },
  {
    name: 'acknowledging-deletes',
    defence: 'Without it what is done stays on the stream, counts as ready and fills it.',
    file: SETTLE,
    take: "  redis.call('XDEL', KEYS[lane], unpack(entries))\n",
    witnesses: COMPLETE,
  },
  {
    name: 'what-is-done-leaves-the-index',
    defence: 'Without it the index grows with every task that ever was, and knows ids that are free.',
    file: SETTLE,
    take: "    for bucket, fields in pairs(places) do redis.call('HDEL', KEYS[tonumber(bucket)], unpack(fields)) end\n",
    witnesses: COMPLETE,
  },
  {
    name: 'a-retry-is-written-before-its-entry-goes',
    defence: 'Without it a script that stops half-way loses the task.',
    file: SETTLE,
    take: '  local id, at = ARGV[a], now + tonumber(ARGV[a + 1])\n',
    by: '  local id, at = ARGV[a], now + tonumber(ARGV[a + 1])\n  remove(lane, { entry })\n',
    witnesses: ORDER,
  },
  {
    name: 'a-dead-letter-is-written-before-its-entry-goes',
    defence: 'Without it a task is gone when the dead letter cannot be written.',
    file: SETTLE,
    take: "  local letter = redis.call('XADD', KEYS[4]",
    by: "  remove(lane, { entry })\n  local letter = redis.call('XADD', KEYS[4]",
    witnesses: ORDER,
  },
  {
    name: 'a-retry-that-is-due-sooner-wakes',
    defence: 'Without it a short backoff lasts as long as the promoter sleeps.',
    file: SETTLE,
    take: '  if not head or at < tonumber(head) then woken.due = true end\n',
    witnesses: RETRY,
  },
  {
    name: 'a-retry-is-known-to-the-index',
    defence: 'Without it a task that waits for its retry cannot be found, and its id can be given again.',
    file: SETTLE,
    take: "  redis.call('HSET', bucket, field, 's')\n",
    witnesses: RETRY,
  },
  {
    name: 'a-waiting-task-is-not-overwritten',
    defence: 'Without it of two entries with one id that are retried one is gone.',
    file: SETTLE,
    take: "  if redis.call('ZSCORE', KEYS[5], id) then return bury(position, a, lane, entry) end\n",
    witnesses: [...RETRY, ...PORT],
  },
  {
    name: 'a-retry-keeps-its-unique-key',
    defence: 'Without it the key expires while the task waits, and an equal one is let in.',
    file: SETTLE,
    take: "if unique and (redis.call('GET', unique) or id) == id then",
    by: 'if false then',
    witnesses: DEDUPE,
  },
  {
    name: 'a-retry-takes-no-key-of-another',
    defence: 'Without it a task whose key has expired takes it away from the one that holds it now.',
    file: SETTLE,
    take: "if unique and (redis.call('GET', unique) or id) == id then",
    by: 'if unique then',
    witnesses: [...DEDUPE, ...PORT],
  },
  {
    name: 'a-task-frees-its-own-key-alone',
    defence: 'Without it a task that ends late frees the key of the next, and a third is let in beside that.',
    file: SETTLE,
    take: " and redis.call('GET', KEYS[tonumber(key)]) == id then",
    by: ' then',
    witnesses: DEDUPE,
  },
  {
    name: 'a-dead-task-frees-its-key',
    defence: 'Without it nothing equal can be enqueued for as long as the key would have lasted.',
    file: SETTLE,
    take: "'d' .. letter)\n  remove(lane, { entry })\n  free(ARGV[a], ARGV[a + 1])",
    by: "'d' .. letter)\n  remove(lane, { entry })",
    witnesses: DEDUPE,
  },
  {
    name: 'what-is-handed-back-is-free-at-once',
    defence: 'Without it a task that a worker gives back at shutdown waits for a whole lease.',
    file: SETTLE,
    take: "string.format('%d', ARGV[2] * 2)",
    by: '0',
    witnesses: RELEASE,
  },
  {
    name: 'what-is-handed-back-wakes-a-peer',
    defence: 'Without it nobody looks before the next sweep.',
    file: SETTLE,
    take: '  woken.released = true\n',
    witnesses: [...RELEASE, 'test/broker/fetch.spec.ts'],
  },
  {
    name: 'a-start-that-was-handed-back-is-counted-apart',
    defence: 'Without it stopping counts as dying, and a few deployments bury a task as a crash loop.',
    file: SETTLE,
    take: '(math.floor(delivery / 1000) + 1) * 1000',
    by: 'delivery',
    witnesses: RELEASE,
  },
  {
    name: 'handing-back-unstarted-takes-its-delivery-back',
    defence: 'Without it a task that never ran is a suspect after a few workers had no slot for it.',
    file: SETTLE,
    take: 'or delivery + 999',
    by: 'or delivery + 1000',
    witnesses: RELEASE,
  },
  {
    name: 'a-missing-group-is-told',
    defence: 'Without it a queue whose group is gone looks empty for ever.',
    file: SETTLE,
    take: '    missing = 1\n',
    witnesses: FETCH,
  },
  {
    name: 'an-error-is-not-a-missing-group',
    defence: 'Without it whatever keeps Redis from reading looks like a queue without tasks.',
    file: SETTLE,
    take: "    if not page.err:find('NOGROUP', 1, true) then return error(page) end\n",
    witnesses: [...FETCH, ...ORDER],
  },
  {
    name: 'no-more-is-leased-than-asked-for',
    defence: 'Without it a worker leases tasks that it has no slot for.',
    file: SETTLE,
    take: '  wanted = wanted - #entries\n',
    witnesses: FETCH,
  },
  {
    name: 'a-lane-has-its-share',
    defence: 'Without it low starves behind high.',
    file: SETTLE,
    take: 'math.min(tonumber(ARGV[3 + lane]), wanted)',
    by: 'wanted',
    witnesses: FETCH,
  },
  {
    name: 'a-field-with-a-newline-is-not-packed',
    defence: 'Without it an entry of others is taken apart in the wrong places: one field becomes another.',
    file: SETTLE,
    take: "and not (f[2] .. f[4] .. f[8] .. f[10] .. f[12]):find('\\n', 1, true)",
    witnesses: FETCH,
  },
];
