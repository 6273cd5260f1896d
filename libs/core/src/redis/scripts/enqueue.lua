-- Accepts a group of tasks, once.
--
-- KEYS  1 high  2 normal  3 low  4 scheduled  5 scheduled:data  6 wake  7 record of the producer's channel
--       8 dead letters  9 control  10.. index buckets and dedupe keys, named by position in ARGV
-- ARGV  1 sequence of the group  2 ready tasks at which the queue is full (0: never)  3 ttl of the record, ms
--       4 sequence of the channel's last group that was answered and must be known (0: none)
--       5 number of partitions that the sender believes in  6 number of tasks, then the tasks in their order, in blocks:
--         a run: lane (h n l), bucket, number and what their ids begin with in one text, then one text with field, type,
--           payload and meta of each, a newline behind each of them
--         one task by itself: lane (H N L), bucket, field, id and type in one text  payload  meta
--           due ('' now, +ms from now, =ms at)  idempotency key ('' or position)  fingerprint  window ms
--           unique key ('' or position)  ttl ms  own id (1: refuse when the queue has a task with it already)
-- Returns words: a<n> = n tasks accepted, f<n> = full for n, d<id> = duplicate of, c<id> = conflict with; in front of them
--         !<sequence> when groups after that one, which were answered, are gone.
--         'late' when a later group of the channel was applied already.
--         The error LAYOUT, and nothing is written, when another number of partitions is recorded.
-- Guarantee: a group sent twice is applied once. The task is written before what points to it.
local record, known = redis.call('GET', KEYS[7]), 0
if record then
  local sequence, answer = record:match('^(%d+) (.*)$')
  if sequence == ARGV[1] then return answer end
  known = tonumber(sequence)
  if known > tonumber(ARGV[1]) then return 'late' end
  -- A group that was given up knew less than its number says, and nobody has heard that yet.
  local less = answer:match('^[!-](%d+)')
  if less and tonumber(ARGV[4]) < known then known = tonumber(less) end
end

local layout = redis.call('HGET', KEYS[9], 'partitions')
if layout and layout ~= ARGV[5] then
  return redis.error_reply('LAYOUT this belongs to a queue of ' .. layout .. ' partitions, not of ' .. ARGV[5])
end

local LANE = { h = 1, n = 2, l = 3 }
local count, max = tonumber(ARGV[6]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%d', now)

-- Tasks of a lane that somebody works on: what was handed back is nobody's, so it is ready.
local function active(lane)
  local summary = redis.pcall('XPENDING', KEYS[lane], 'workers')
  local count = summary[1] or 0
  for _, holder in ipairs(summary[4] or {}) do
    if holder[1] == 'released' then count = count - holder[2] end
  end
  return count
end

local room = math.huge
if max > 0 then
  local ready = 0
  for lane = 1, 3 do ready = ready + redis.call('XLEN', KEYS[lane]) end
  if ready + count > max then
    for lane = 1, 3 do ready = ready - active(lane) end
    room = max - ready
  end
end

-- Whether a task waits that is due before all that waited; when the first of these is due, once that was asked.
local woken, head = false, nil

local function due_time(due)
  if due == '' then return nil end
  local amount = tonumber(due:sub(2))
  local at = due:sub(1, 1) == '+' and now + amount or amount
  return at > now and at or nil
end

local function stands(key, first, last, id)
  for _, entry in ipairs(redis.call('XRANGE', key, first, last)) do
    if not id then return true end
    for n = 1, #entry[2], 2 do
      if entry[2][n] == 'id' and entry[2][n + 1] == id then return true end
    end
  end
  return false
end

-- Whether the queue has a task with this id. The index says where to look: a place of its own, or the run it came in.
local function is_there(bucket, field, id)
  -- The index forgets an id when one of two entries with it ends: what waits must not be overwritten.
  if redis.call('ZSCORE', KEYS[4], id) then return true end
  if #field > 1 then return redis.call('HEXISTS', KEYS[bucket], field) == 1 end
  local rows = redis.call('HGETALL', KEYS[bucket])
  local run, from
  for n = 1, #rows, 2 do
    local kind, first, last = rows[n + 1]:match('^(%a)([%d-]*)~?([%d-]*)$')
    if rows[n] == field then
      if kind == 's' then return false end
      return stands(kind == 'd' and KEYS[8] or KEYS[LANE[kind]], first, first)
    end
    local begins = rows[n]:match('^~(.)$')
    if begins and begins <= field and (not from or begins > from) then
      run, from = { KEYS[LANE[kind]], first, last }, begins
    end
  end
  return run and stands(run[1], run[2], run[3], id)
end

local function earlier(i, id, bucket, field)
  local idempotency = ARGV[i + 4]
  if idempotency ~= '' then
    local known = redis.call('GET', KEYS[tonumber(idempotency)])
    if known then
      local fingerprint, first = known:match('^(%S+) (.*)$')
      return (fingerprint == ARGV[i + 5] and 'd' or 'c') .. first
    end
  end
  local unique = ARGV[i + 7]
  if unique ~= '' then
    local first = redis.call('GET', KEYS[tonumber(unique)])
    if first then return 'd' .. first end
  end
  if ARGV[i + 9] == '1' and is_there(bucket, field, id) then return 'd' .. id end
end

local function remember(i, id, wait)
  if ARGV[i + 4] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 4])], ARGV[i + 5] .. ' ' .. id, 'PX', ARGV[i + 6])
  end
  if ARGV[i + 7] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 7])], id, 'PX', string.format('%d', ARGV[i + 8] + wait))
  end
end

-- What a new task need not say is left out: its attempt is the first, and most have no meta.
local function add(lane, id, type, payload, meta)
  if meta == '' then
    return redis.call('XADD', KEYS[LANE[lane]], '*', 'id', id, 'type', type, 'payload', payload, 'enqueuedAt', stamp)
  end
  return redis.call('XADD', KEYS[LANE[lane]], '*', 'id', id, 'type', type, 'payload', payload,
    'enqueuedAt', stamp, 'meta', meta)
end

local function wait(lane, id, type, payload, meta, at)
  head = head or tonumber(redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2] or math.huge)
  if at < head then woken, head = true, at end
  redis.call('HSET', KEYS[5], id, lane .. '\n1\n' .. stamp .. '\n' .. type .. '\n' .. meta .. '\n' .. payload)
  redis.call('ZADD', KEYS[4], string.format('%d', at), id)
  return 's'
end

-- Tasks with a place of their own, by index bucket: counted there when the last one has its place.
local placed = {}
local answers = {}

-- As many of a run as there is room for; answers how many there were.
local function accept_run(i)
  local lane, bucket, number, prefix = ARGV[i]:match('^(%a) (%d+) (%d+) (%S+)$')
  local text, find, sub, from = ARGV[i + 1], string.find, string.sub, 1
  local fits = math.max(0, math.min(number, room))
  local begins, first, last
  for _ = 1, fits do
    local a = find(text, '\n', from, true)
    local b = find(text, '\n', a + 1, true)
    local c = find(text, '\n', b + 1, true)
    local d = find(text, '\n', c + 1, true)
    local field = sub(text, from, a - 1)
    last = add(lane, prefix .. field, sub(text, a + 1, b - 1), sub(text, b + 1, c - 1), sub(text, c + 1, d - 1))
    begins, first = begins or field, first or last
    from = d + 1
  end
  if fits > 0 then
    redis.call('HSET', KEYS[tonumber(bucket)], '~' .. begins, lane .. first .. '~' .. last)
    redis.call('HINCRBY', KEYS[tonumber(bucket)], '#', fits)
    answers[#answers + 1] = 'a' .. fits
  end
  if fits < tonumber(number) then answers[#answers + 1] = 'f' .. number - fits end
  room = room - fits
  return tonumber(number)
end

local function accept_one(i)
  local kind, bucket, field, id, type = ARGV[i]:match('^(%a) (%d+) (%S+) (%S+) (%S+)$')
  local lane, payload, meta = kind:lower(), ARGV[i + 1], ARGV[i + 2]
  bucket = tonumber(bucket)
  local answer = earlier(i, id, bucket, field)
  if answer then return answer end
  local at = due_time(ARGV[i + 3])
  if not at then
    if room < 1 then return 'f1' end
    room = room - 1
  end
  local place = at and wait(lane, id, type, payload, meta, at) or lane .. add(lane, id, type, payload, meta)
  remember(i, id, at and at - now or 0)
  redis.call('HSET', KEYS[bucket], field, place)
  if #field == 1 then placed[bucket] = (placed[bucket] or 0) + 1 end
  return 'a1'
end

local i, done = 7, 0
while done < count do
  if LANE[ARGV[i]:sub(1, 1)] then
    done = done + accept_run(i)
    i = i + 2
  else
    answers[#answers + 1] = accept_one(i)
    done = done + 1
    i = i + 10
  end
end

for bucket, number in pairs(placed) do redis.call('HINCRBY', KEYS[bucket], '#', number) end
if woken then redis.call('XADD', KEYS[6], 'MAXLEN', 8, '*', 'why', 'due') end
local answer = table.concat(answers, ' ')
if known < tonumber(ARGV[4]) then answer = '!' .. known .. ' ' .. answer end
redis.call('SET', KEYS[7], ARGV[1] .. ' ' .. answer, 'PX', ARGV[3])
return answer
