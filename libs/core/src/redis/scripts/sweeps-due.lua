-- Says in which queues a sweep may begin and would find entries that are held, or were handed back.
--
-- KEYS  of each queue in turn: high  normal  low  control
-- ARGV  1 no new sweep sooner than this many ms after one has begun  2 after this time the call is late ('' never)
-- Returns  now  1 when late  positions of those queues
-- Guarantee: changes nothing. What it costs does not depend on how much is held, nor by how many. A queue whose gate
--   cannot be read is named, so that a sweep says what is wrong with it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' and now > tonumber(ARGV[2]) then return { now, 1 } end

-- Whether the group has entries that were delivered and not settled.
local function is_held(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    local name, pending
    for i = 1, #group, 2 do
      if group[i] == 'name' then name = group[i + 1] end
      if group[i] == 'pending' then pending = group[i + 1] end
    end
    if name == 'workers' then return pending > 0 end
  end
  return false
end

local function may_begin(control)
  local next_sweep = redis.pcall('HGET', control, 'nextSweepAt')
  if type(next_sweep) == 'table' then return true end
  next_sweep = tonumber(next_sweep or 0)
  -- One that is further away was written by a clock that was ahead.
  return next_sweep <= now or next_sweep > now + ARGV[1]
end

local answer = { now, 0 }
for i = 1, #KEYS, 4 do
  if (is_held(KEYS[i]) or is_held(KEYS[i + 1]) or is_held(KEYS[i + 2])) and may_begin(KEYS[i + 3]) then
    answer[#answer + 1] = (i + 3) / 4
  end
end
return answer
