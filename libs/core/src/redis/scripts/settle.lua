-- Applies outcomes of delivered tasks, then leases more.
--
-- KEYS  1 high  2 normal  3 low  4 dead letters  5 scheduled  6 scheduled:data  7 wake  8 control
--       9.. index buckets and dedupe keys, named by position in ARGV
-- ARGV  1 consumer  2 lease, ms  3 entries wanted in all  4-6 wanted of each lane first
--       then per lane: number of entries settled, and where there are any: the lowest and the highest of them, how many
--         of them are done, and where there are any: their deliveries ('' when each is the first), the index buckets of
--         their tasks (position or 0 for none, and how many in a row), and the entries, in the order of Redis
--       then the number of other outcomes, and per outcome:
--         op  position  lane (1-3)  entry  delivery  bucket  field  number of what follows, and
--         remove:   unique key
--         schedule: id  delay ms  task as stored  unique key ('' none)  ttl ms
--         dead:     unique key ('' none)  names and values of the dead letter
--         release:  started (1: its handler ran)
-- Returns  now  positions refused (entries done count from 0, in the order given; others by their position from
--          -1 downwards)  1 when a group is missing  era  entries of the three lanes. An entry as we write them is one
--          text: entry, id, type, attempt, enqueuedAt, meta and payload with newlines between; others are as they are
--          and, where there are any: positions refused of entries that are still pending, releases left out
--          positions of tasks that were to wait and became dead letters, since their id is waiting already
-- Guarantee: nothing is changed for an entry that another consumer owns or that was delivered again. Entries done
--   go first, so a full Redis can be drained; of every other task the new is written before the old is removed.
--   A waiting task is never overwritten.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumer, stale, owned, missing = ARGV[1], {}, { {}, {}, {} }, 0
local leased, buried = {}, {}
local LANE = { 'h', 'n', 'l' }

local function delivery_of(lane, entry)
  local known = owned[lane][entry]
  if known == nil then
    local one = redis.pcall('XPENDING', KEYS[lane], 'workers', entry, entry, 1, consumer)
    known = not one.err and one[1] and one[1][4] or false
    owned[lane][entry] = known
  end
  return known
end

-- One range for the whole group, where a group there is; what it leaves out is looked at one by one.
local function survey(lane, low, high, count)
  if count < 2 then return {} end
  local page = redis.pcall('XPENDING', KEYS[lane], 'workers', low, high, count * 2 + 16, consumer)
  return page.err and {} or page
end

-- Whether each of these entries is ours as it was delivered first: both lists go up, so one look at each will do.
local function all_ours(page, from, to)
  local at = 1
  for n = from, to do
    while page[at] and page[at][1] ~= ARGV[n] do at = at + 1 end
    if not page[at] or page[at][4] ~= 1 then return false end
    at = at + 1
  end
  return true
end

-- An entry is settled once: named again in the same group it is gone. One that is refused and still pending was not
-- settled by an earlier try either; a release that was applied leaves it pending, so that says nothing of releases.
local function holds(position, lane, entry, delivery, op)
  local known = delivery_of(lane, entry)
  if known ~= tonumber(delivery) then
    stale[#stale + 1] = position
    if op ~= 'release' and known ~= 'settled' then
      local one = redis.pcall('XPENDING', KEYS[lane], 'workers', entry, entry, 1)
      if not one.err and one[1] then leased[#leased + 1] = position end
    end
    return false
  end
  owned[lane][entry] = 'settled'
  return true
end

local function remove(lane, entries)
  redis.call('XACK', KEYS[lane], 'workers', unpack(entries))
  redis.call('XDEL', KEYS[lane], unpack(entries))
end

local function free(key, id)
  if key ~= '' and redis.call('GET', KEYS[tonumber(key)]) == id then redis.call('DEL', KEYS[tonumber(key)]) end
end

-- Some tasks of an index bucket have ended: when all have, it is gone. Places of their own may be left until then.
local function ended(bucket, count)
  if redis.call('HINCRBY', bucket, '#', -count) <= 0 then redis.call('DEL', bucket) end
end

local function forget(bucket, field)
  redis.call('HDEL', bucket, field)
  if #field == 1 then ended(bucket, 1) end
end

-- Entries done of which some may not be ours.
local function finish_each(lane, position, deliveries, buckets, from, to)
  local entries, gone, n = {}, {}, from
  local next_delivery = deliveries:gmatch('%d+')
  for bucket, count in buckets:gmatch('(%d+) (%d+)') do
    for at = n, n + count - 1 do
      if holds(position + at - from, lane, ARGV[at], next_delivery() or 1) then
        entries[#entries + 1] = ARGV[at]
        gone[bucket] = (gone[bucket] or 0) + 1
      end
    end
    n = n + count
  end
  if #entries == 0 then return end
  remove(lane, entries)
  for bucket, count in pairs(gone) do
    if bucket ~= '0' then ended(KEYS[tonumber(bucket)], count) end
  end
end

local function finish(lane, position, page, settled, from, to)
  local deliveries, buckets = ARGV[from - 2], ARGV[from - 1]
  -- Others may name one of these entries again: then each is looked at by itself.
  if settled > to - from + 1 or deliveries ~= '' or not all_ours(page, from, to) then
    for _, row in ipairs(page) do owned[lane][row[1]] = row[4] end
    return finish_each(lane, position, deliveries, buckets, from, to)
  end
  redis.call('XACK', KEYS[lane], 'workers', unpack(ARGV, from, to))
  redis.call('XDEL', KEYS[lane], unpack(ARGV, from, to))
  for bucket, count in buckets:gmatch('(%d+) (%d+)') do
    if bucket ~= '0' then ended(KEYS[tonumber(bucket)], count) end
  end
end

local i, position = 7, 0
for lane = 1, 3 do
  local settled = tonumber(ARGV[i])
  i = i + 1
  if settled > 0 then
    local page, done = survey(lane, ARGV[i], ARGV[i + 1], settled), tonumber(ARGV[i + 2])
    i = i + 3
    if done > 0 then
      finish(lane, position, page, settled, i + 2, i + 1 + done)
      position = position + done
      i = i + 2 + done
    else
      for _, row in ipairs(page) do owned[lane][row[1]] = row[4] end
    end
  end
end

local woken = {}
local apply = {}

function apply.remove(a, lane, entry, bucket, field)
  remove(lane, { entry })
  forget(bucket, field)
  free(ARGV[a], ARGV[a + 1])
end

-- Two entries with one id are two tasks, and only one of them can wait under it. The index goes on naming that one.
local function bury(position, a, lane, entry)
  local attempt, enqueued, type, meta, payload = ARGV[a + 2]:match('^(%d+)\n(%d*)\n([^\n]*)\n([^\n]*)\n(.*)$')
  redis.call('XADD', KEYS[4], '*', 'diedAt', string.format('%d', now), 'id', ARGV[a], 'type', type,
    'payload', payload, 'attempt', attempt, 'enqueuedAt', enqueued, 'meta', meta, 'reason', 'duplicate-id',
    'detail', 'another task with this id was waiting when this one was to wait', 'lane', LANE[lane],
    'replayMeta', meta)
  buried[#buried + 1] = position
  remove(lane, { entry })
end

function apply.schedule(a, lane, entry, bucket, field, _, _, position)
  local id, at = ARGV[a], now + tonumber(ARGV[a + 1])
  if redis.call('ZSCORE', KEYS[5], id) then return bury(position, a, lane, entry) end
  local head = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]
  if not head or at < tonumber(head) then woken.due = true end
  redis.call('HSET', KEYS[6], id, LANE[lane] .. '\n' .. ARGV[a + 2])
  redis.call('ZADD', KEYS[5], string.format('%d', at), id)
  redis.call('HSET', bucket, field, 's')
  local unique = KEYS[tonumber(ARGV[a + 3])]
  if unique and (redis.call('GET', unique) or id) == id then
    redis.call('SET', unique, id, 'PX', string.format('%d', ARGV[a + 4] + at - now))
  end
  remove(lane, { entry })
end

function apply.dead(a, lane, entry, bucket, field, count)
  local letter = redis.call('XADD', KEYS[4], '*', 'diedAt', string.format('%d', now), unpack(ARGV, a + 2, a + count - 1))
  redis.call('HSET', bucket, field, 'd' .. letter)
  remove(lane, { entry })
  free(ARGV[a], ARGV[a + 1])
end

-- The delivery count says two things: in thousands how often the task was handed back, below that how often it was
-- delivered without an outcome since its handler was last handed back. It never returns to a number that was given out:
-- a call that comes late would be taken for one of the new owner's, who may be the same.
function apply.release(a, lane, entry, _, _, _, delivery)
  local count = ARGV[a] == '1' and (math.floor(delivery / 1000) + 1) * 1000 or delivery + 999
  redis.call('XCLAIM', KEYS[lane], 'workers', 'released', 0, entry, 'IDLE', string.format('%d', ARGV[2] * 2),
    'RETRYCOUNT', string.format('%d', count), 'JUSTID')
  woken.released = true
end

local others = tonumber(ARGV[i])
i = i + 1
for _ = 1, others do
  local op, lane, entry, count = ARGV[i], tonumber(ARGV[i + 2]), ARGV[i + 3], tonumber(ARGV[i + 7])
  local at = -1 - tonumber(ARGV[i + 1])
  if holds(at, lane, entry, ARGV[i + 4], op) then
    apply[op](i + 8, lane, entry, KEYS[tonumber(ARGV[i + 5])], ARGV[i + 6], count, tonumber(ARGV[i + 4]), at)
  end
  i = i + 8 + count
end
for why in pairs(woken) do redis.call('XADD', KEYS[7], 'MAXLEN', 8, '*', 'why', why) end

local taken, wanted = { {}, {}, {} }, tonumber(ARGV[3])

local function one_line(text) return not text:find('\n', 1, true) end

-- One text is one thing to send and to parse instead of many. Names and order must be as we write them, and no text but
-- the payload may hold a newline. Attempt and meta are left out where they say nothing.
local function compact(entry)
  local f = entry[2]
  if f[1] == 'id' and f[3] == 'type' and f[5] == 'payload' then
    local attempt, enqueued, meta
    if #f == 8 and f[7] == 'enqueuedAt' then
      attempt, enqueued, meta = '', f[8], ''
    elseif #f == 10 and f[7] == 'enqueuedAt' and f[9] == 'meta' and f[10] ~= '' then
      attempt, enqueued, meta = '', f[8], f[10]
    elseif #f == 12 and f[7] == 'attempt' and f[8] ~= '' and f[9] == 'enqueuedAt' and f[11] == 'meta' and f[12] ~= '' then
      attempt, enqueued, meta = f[8], f[10], f[12]
    end
    if meta and one_line(f[2]) and one_line(f[4]) and one_line(attempt) and one_line(enqueued) and one_line(meta) then
      return entry[1] .. '\n' .. f[2] .. '\n' .. f[4] .. '\n' .. attempt .. '\n' .. enqueued .. '\n' .. meta .. '\n' .. f[6]
    end
  end
  return entry
end

local function take(lane, count)
  local page = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', count, 'STREAMS', KEYS[lane], '>')
  if page and page.err then
    if not page.err:find('NOGROUP', 1, true) then return error(page) end
    missing = 1
    return false
  end
  local entries = page and page[1][2] or {}
  for _, entry in ipairs(entries) do taken[lane][#taken[lane] + 1] = compact(entry) end
  wanted = wanted - #entries
  return #entries == count
end

local more = {}
for lane = 1, 3 do
  local count = math.min(tonumber(ARGV[3 + lane]), wanted)
  more[lane] = wanted > 0 and (count == 0 or take(lane, count))
end
for lane = 1, 3 do
  if wanted > 0 and more[lane] then take(lane, wanted) end
end
local era = tonumber(redis.call('HGET', KEYS[8], 'era') or 0)
if #leased + #buried == 0 then return { now, stale, missing, era, taken[1], taken[2], taken[3] } end
return { now, stale, missing, era, taken[1], taken[2], taken[3], leased, buried }
