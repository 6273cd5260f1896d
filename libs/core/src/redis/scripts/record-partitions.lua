-- Records into how many parts the tasks are split to which those of this name belong.
--
-- KEYS  1 high  2 normal  3 low  4 dead letters  5 scheduled  6 control
-- ARGV  1 number of parts  2 what counts as recorded where nothing is
--       3 what must be recorded for it to be replaced ('' whatever it is)
-- Returns  what is recorded now
-- Guarantee: another number than before is only recorded while nothing is kept here: no task, no dead letter.
local recorded = redis.call('HGET', KEYS[6], 'partitions')
local counts = recorded or ARGV[2]

local function empty()
  if redis.call('ZCARD', KEYS[5]) > 0 then return false end
  for key = 1, 4 do
    if redis.call('XLEN', KEYS[key]) > 0 then return false end
  end
  return true
end

if counts ~= ARGV[1] then
  if (ARGV[3] ~= '' and ARGV[3] ~= counts) or not empty() then return tonumber(counts) end
end
if recorded ~= ARGV[1] then redis.call('HSET', KEYS[6], 'partitions', ARGV[1]) end
return tonumber(ARGV[1])
