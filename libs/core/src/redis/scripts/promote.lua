-- Moves tasks that are due to their lanes.
--
-- KEYS  1 high  2 normal  3 low  4 scheduled  5 scheduled:data  6 dead letters  7.. index buckets, named by position in ARGV
-- ARGV  1 bytes after which it stops  then per task: id  bucket  field
-- Returns  how many were moved  how many were looked at
-- Guarantee: entries are written before the waiting tasks are removed, and what was written is removed even when the
--   next one fails: it would be written again. A task that was moved by somebody else meanwhile, or is
--   not due, is left alone. One that cannot be read is dead-lettered.
local LANE = { h = 1, n = 2, l = 3 }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local budget = tonumber(ARGV[1])
local moved, looked = 0, 0

-- What a task need not say is left out: that its attempt is the first, and that it has no meta.
local function fields_of(id, type, payload, attempt, enqueued, meta)
  local fields = { 'id', id, 'type', type, 'payload', payload }
  local function say(name, text)
    fields[#fields + 1] = name
    fields[#fields + 1] = text
  end
  if attempt ~= '1' then say('attempt', attempt) end
  say('enqueuedAt', enqueued)
  if meta ~= '' then say('meta', meta) end
  return fields
end

-- Writes the entry of a task that waits, and where it is from now on.
local function move(id, bucket, field)
  local task = redis.call('HGET', KEYS[5], id)
  if not task then return end
  budget = budget - #task
  local lane, attempt, enqueued, type, meta, payload = task:match('^(.)\n(%d+)\n(%d*)\n([^\n]*)\n([^\n]*)\n(.*)$')
  local entry
  if LANE[lane] then
    entry = lane .. redis.call('XADD', KEYS[LANE[lane]], '*', unpack(fields_of(id, type, payload, attempt, enqueued, meta)))
    moved = moved + 1
  else
    entry = 'd' .. redis.call('XADD', KEYS[6], '*', 'diedAt', string.format('%d', now), 'id', id,
      'reason', 'malformed', 'detail', 'stored while it waited, and not readable', 'payload', task)
  end
  redis.call('HSET', KEYS[bucket], field, entry)
end

local ids, gone, failure = {}, {}, nil
for i = 2, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local due = redis.call('ZMSCORE', KEYS[4], unpack(ids))
for n, id in ipairs(ids) do
  if budget <= 0 then break end
  looked = looked + 1
  if due[n] and tonumber(due[n]) <= now then
    local done, why = pcall(move, id, tonumber(ARGV[n * 3]), ARGV[n * 3 + 1])
    if not done then
      failure = why
      break
    end
    gone[#gone + 1] = id
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[4], unpack(gone))
  redis.call('HDEL', KEYS[5], unpack(gone))
end
if failure then return redis.error_reply(failure) end
return { moved, looked }
