-- Moves tasks that are due to their lanes.
--
-- KEYS  1 high  2 normal  3 low  4 scheduled  5 scheduled:data  6 dead letters  7.. index buckets, named by position in ARGV
-- ARGV  1 bytes after which it stops  then per task: id  bucket  field
-- Returns  how many were moved  how many were looked at
-- Guarantee: the entry is written before the waiting task is removed, each task by itself. One that was moved by
--   somebody else meanwhile, or is not due, is left alone. One that cannot be read is dead-lettered.
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

for i = 2, #ARGV, 3 do
  if budget <= 0 then break end
  looked = looked + 1
  local id = ARGV[i]
  local at = redis.call('ZSCORE', KEYS[4], id)
  if at and tonumber(at) <= now then
    local task = redis.call('HGET', KEYS[5], id)
    if task then
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
      redis.call('HSET', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2], entry)
    end
    redis.call('ZREM', KEYS[4], id)
    redis.call('HDEL', KEYS[5], id)
  end
end
return { moved, looked }
