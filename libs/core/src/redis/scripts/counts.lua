-- Counts a queue, all at one instant.
--
-- KEYS  1 high  2 normal  3 low  4 scheduled  5 dead letters
-- Returns  now  ready of the three lanes  active  scheduled  dead
--          when the oldest ready task was enqueued ('' when none is ready or none says)
-- Guarantee: changes nothing; a task on its way from one place to another is counted once. Costs the same whatever
--   the queue holds. A task that was handed back is nobody's, so it is ready.
local time = redis.call('TIME')
local ready, active, oldest = {}, 0, nil

local function look_at(key, start)
  local entry = redis.call('XRANGE', key, start, '+', 'COUNT', 1)[1]
  if not entry then return end
  for i = 1, #entry[2], 2 do
    local at = entry[2][i] == 'enqueuedAt' and tonumber(entry[2][i + 1])
    if at and (not oldest or at < oldest) then oldest = at end
  end
end

local function last_delivered(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    local field = {}
    for i = 1, #group, 2 do field[group[i]] = group[i + 1] end
    if field.name == 'workers' then return field['last-delivered-id'] end
  end
  return '0-0'
end

for lane = 1, 3 do
  local length = redis.call('XLEN', KEYS[lane])
  local summary = redis.pcall('XPENDING', KEYS[lane], 'workers')
  local pending, released = summary[1] or 0, 0
  for _, holder in ipairs(summary[4] or {}) do
    if holder[1] == 'released' then released = tonumber(holder[2]) end
  end
  if length > pending then look_at(KEYS[lane], '(' .. last_delivered(KEYS[lane])) end
  if released > 0 then
    local first = redis.call('XPENDING', KEYS[lane], 'workers', '-', '+', 1, 'released')[1]
    look_at(KEYS[lane], first[1])
  end
  ready[lane] = length - pending + released
  active = active + pending - released
end
return { time[1] * 1000 + math.floor(time[2] / 1000), ready, active, redis.call('ZCARD', KEYS[4]),
  redis.call('XLEN', KEYS[5]), oldest and string.format('%d', oldest) or '' }
