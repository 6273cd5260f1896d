-- Accepts a group of tasks, once.
--
-- KEYS  1 high  2 normal  3 low  4 scheduled  5 scheduled:data  6 wake  7 record of the producer's channel
--       8.. index buckets and dedupe keys, named by position in ARGV
-- ARGV  1 sequence of the group  2 ready tasks at which the queue is full (0: never)  3 ttl of the record, ms
--       4 sequence of the channel's last group that was answered and must be known (0: none)
--       5 number of tasks, then per task:
--         lane (h n l; H N L when the seven below follow), bucket, field, id and type in one text  payload  meta
--         due ('' now, +ms from now, =ms at)  idempotency key ('' or position)  fingerprint  window ms
--         unique key ('' or position)  ttl ms  own id (1: refuse when the index or this group knows it, or it waits)
-- Returns one word per task: a = accepted, d<id> = duplicate of, c<id> = conflict with, f = full; in front of them
--         !<sequence> when groups after that one, which were answered, are gone.
--         'late' when a later group of the channel was applied already.
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

local LANE = { h = 1, n = 2, l = 3 }
local count, max = tonumber(ARGV[5]), tonumber(ARGV[2])
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

local places, written, woken = {}, {}, false

local function due_time(due)
  if due == '' then return nil end
  local amount = tonumber(due:sub(2))
  local at = due:sub(1, 1) == '+' and now + amount or amount
  return at > now and at or nil
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
  if ARGV[i + 9] == '1' then
    if written[id] or redis.call('HEXISTS', KEYS[bucket], field) == 1 then return 'd' .. id end
    -- The index forgets an id when one of two entries with it ends: what waits must not be overwritten.
    if redis.call('ZSCORE', KEYS[4], id) then return 'd' .. id end
  end
end

local function remember(i, id, wait)
  if ARGV[i + 4] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 4])], ARGV[i + 5] .. ' ' .. id, 'PX', ARGV[i + 6])
  end
  if ARGV[i + 7] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 7])], id, 'PX', string.format('%d', ARGV[i + 8] + wait))
  end
end

local function write(lane, id, type, payload, meta, at)
  if not at then
    local entry = redis.call('XADD', KEYS[LANE[lane]], '*', 'id', id, 'type', type,
      'payload', payload, 'attempt', '1', 'enqueuedAt', stamp, 'meta', meta)
    return lane .. entry
  end
  local head = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]
  woken = woken or not head or at < tonumber(head)
  redis.call('HSET', KEYS[5], id, lane .. '\n1\n' .. stamp .. '\n' .. type .. '\n' .. meta .. '\n' .. payload)
  redis.call('ZADD', KEYS[4], string.format('%d', at), id)
  return 's'
end

local answers, i = {}, 6
for task = 1, count do
  local kind, bucket, field, id, type = ARGV[i]:match('^(%a) (%d+) (%S+) (%S+) (%S+)$')
  local lane = kind:lower()
  local complex = kind ~= lane
  bucket = tonumber(bucket)
  local answer = complex and earlier(i, id, bucket, field)
  local at = complex and due_time(ARGV[i + 3])
  if not answer and not at then
    if room < 1 then answer = 'f' else room = room - 1 end
  end
  if not answer then
    local place = write(lane, id, type, ARGV[i + 1], ARGV[i + 2], at)
    written[id] = true
    if complex then remember(i, id, at and at - now or 0) end
    local fields = places[bucket]
    if not fields then
      fields = {}
      places[bucket] = fields
    end
    fields[#fields + 1] = field
    fields[#fields + 1] = place
    answer = 'a'
  end
  answers[task] = answer
  i = i + (complex and 10 or 3)
end

for bucket, fields in pairs(places) do redis.call('HSET', KEYS[bucket], unpack(fields)) end
if woken then redis.call('XADD', KEYS[6], 'MAXLEN', 8, '*', 'why', 'due') end
local answer = table.concat(answers, ' ')
if known < tonumber(ARGV[4]) then answer = '!' .. known .. ' ' .. answer end
redis.call('SET', KEYS[7], ARGV[1] .. ' ' .. answer, 'PX', ARGV[3])
return answer
