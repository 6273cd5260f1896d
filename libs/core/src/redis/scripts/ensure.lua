-- Makes the streams and groups of a queue where they are missing, and says which data this is.
--
-- KEYS  1 high  2 normal  3 low  4 wake  5 dead letters  6 scheduled  7 scheduled:data  8 control
-- ARGV  1 a new name for this data set  2 1: make what is missing; 0: only say the era
--       3 name of the data set that the caller knew ('' none)  4 its era
-- Returns  how many groups were made  name of the data set  its era; or -1, and of every key that holds something else
--          its name, what it holds and what it should
-- Guarantee: a group starts at 0, so tasks that were added before it are delivered. Nothing that exists is changed,
--   and nothing at all when a key holds something else. Needs no memory where everything is there.
--   The era grows whenever delivery counts may begin anew: another run of the server (it may have forgotten some), or
--   a group that was made again, or tasks that are older than the name of the data. It is a time (seconds since 2026),
--   so it grows even if the last one was forgotten.
--   It is also greater than the one that the caller knew of other data: tasks of that may be given again.
local KIND = { 'stream', 'stream', 'stream', 'stream', 'stream', 'zset', 'hash', 'hash' }
local YEAR_2026 = 1767225600
local wrong, inhabited = {}, false
for key = 1, 8 do
  local kind = redis.call('TYPE', KEYS[key]).ok
  if key ~= 4 and key ~= 8 and kind ~= 'none' then inhabited = true end
  if kind ~= 'none' and kind ~= KIND[key] then
    wrong[#wrong + 1] = KEYS[key]
    wrong[#wrong + 1] = kind
    wrong[#wrong + 1] = KIND[key]
  end
end
if #wrong > 0 then return { -1, unpack(wrong) } end

local function has_group(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == 'workers' then return true end
    end
  end
  return false
end

local made = 0
for key = 1, 4 do
  if ARGV[2] == '1' and not has_group(KEYS[key]) then
    redis.call('XGROUP', 'CREATE', KEYS[key], 'workers', '0', 'MKSTREAM')
    made = made + 1
  end
end

local run = redis.call('INFO', 'server'):match('run_id:(%w+)')
local control = redis.call('HMGET', KEYS[8], 'epoch', 'run', 'era')
local name, era = control[1], tonumber(control[3] or 0)
local outdated = (name or inhabited) and (made > 0 or control[2] ~= run)
if not name then
  name = ARGV[1]
  redis.call('HSET', KEYS[8], 'epoch', name, 'run', run, 'era', 0)
end
if ARGV[3] ~= '' and ARGV[3] ~= name and tonumber(ARGV[4]) >= era then
  era = tonumber(ARGV[4])
  outdated = true
end
if outdated then
  era = math.max(era + 1, redis.call('TIME')[1] - YEAR_2026)
  -- Refused when memory is short: then each worker has an era of its own until there is room, and that grows, too.
  redis.pcall('HSET', KEYS[8], 'run', run, 'era', string.format('%d', era))
end
return { made, name, era }
