-- Puts dead letters back on their lanes, attempts reset.
--
-- KEYS  1 high  2 normal  3 low  4 dead letters  5.. index buckets, named by position in ARGV
-- ARGV  1 bytes after which it stops  then per dead letter: entry  bucket  field
-- Returns  how many were put back  how many were looked at
-- Guarantee: the task is written before its dead letter is removed. A dead letter that is gone, or that
--   is none of ours, is left alone.
local LANE = { h = 1, n = 2, l = 3 }
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local budget = tonumber(ARGV[1])
local moved, looked = 0, 0

-- Fields of the entry to write: as they were for what was no task, else the task's. None for a letter of others.
local function fields_of(f)
  if f.raw and f.raw ~= '' then
    local ok, raw = pcall(cjson.decode, f.raw)
    return ok and type(raw) == 'table' and #raw > 0 and #raw % 2 == 0 and raw or nil
  end
  if not (f.id and f.type and f.payload) then return nil end
  local fields = { 'id', f.id, 'type', f.type, 'payload', f.payload, 'enqueuedAt', now }
  if (f.replayMeta or '') ~= '' then
    fields[9], fields[10] = 'meta', f.replayMeta
  end
  return fields
end

for i = 2, #ARGV, 3 do
  if budget <= 0 then break end
  looked = looked + 1
  local letter = redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1]
  if letter then
    local f = {}
    for n = 1, #letter[2], 2 do
      f[letter[2][n]] = letter[2][n + 1]
      budget = budget - #letter[2][n + 1]
    end
    local fields = fields_of(f)
    if fields then
      local lane = LANE[f.lane] and f.lane or 'n'
      local entry = redis.call('XADD', KEYS[LANE[lane]], '*', unpack(fields))
      redis.call('HSET', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2], lane .. entry)
      redis.call('XDEL', KEYS[4], ARGV[i])
      moved = moved + 1
    end
  end
end
return { moved, looked }
