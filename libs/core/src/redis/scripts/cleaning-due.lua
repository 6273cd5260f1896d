-- Says in which queues there are consumers that are gone, or dead letters that are too many or too old.
--
-- KEYS  of each queue in turn: high  normal  low  wake  dead letters
-- ARGV  1 consumer that asks  2 a consumer that holds nothing is gone after ms  3 most dead letters  4 their age, ms
-- Returns  now  how many queues were looked at  positions of those in which there are
-- Guarantee: changes nothing. It stops when it has looked at many consumers, but not before it has at one queue. A queue
--   that cannot be read is named, so that whoever cleans up says what is wrong with it.
local MOST_CONSUMERS = 500
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = string.format('%d', math.max(0, now - ARGV[4] - 1))

local seen = 0

-- Entries of the wake stream, the fourth, are nudges: whoever has some holds nothing.
local function has_gone(first)
  local idle, pending = {}, {}
  for lane = 0, 3 do
    local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[first + lane], 'workers')
    for _, consumer in ipairs(consumers.err and {} or consumers) do
      seen = seen + 1
      local field = {}
      for i = 1, #consumer, 2 do field[consumer[i]] = consumer[i + 1] end
      idle[field.name] = math.min(idle[field.name] or field.idle, field.idle)
      pending[field.name] = (pending[field.name] or 0) + (lane < 3 and field.pending or 0)
    end
  end
  for name, ms in pairs(idle) do
    if name ~= 'released' and name ~= ARGV[1] and pending[name] == 0 and ms >= tonumber(ARGV[2]) then return true end
  end
  return false
end

local function has_letters(key)
  local count = redis.pcall('XLEN', key)
  if type(count) == 'table' or count > tonumber(ARGV[3]) then return true end
  return count > 0 and redis.call('XRANGE', key, '-', oldest, 'COUNT', 1)[1] ~= nil
end

local answer = { now, 0 }
for i = 1, #KEYS, 5 do
  if seen >= MOST_CONSUMERS then break end
  answer[2] = (i + 4) / 5
  if has_letters(KEYS[i + 4]) or has_gone(i) then answer[#answer + 1] = (i + 4) / 5 end
end
return answer
