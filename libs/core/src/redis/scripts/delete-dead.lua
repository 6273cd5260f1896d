-- Deletes dead letters for good, with what the index knows of them.
--
-- KEYS  1 dead letters  2.. index buckets, named by position in ARGV
-- ARGV  per dead letter: entry  bucket  field
-- Returns  how many were deleted  how many were looked at: all
-- Guarantee: a task that was replayed meanwhile keeps its place in the index.
local deleted = 0
for i = 1, #ARGV, 3 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    deleted = deleted + 1
    local bucket = KEYS[tonumber(ARGV[i + 1])]
    if redis.call('HGET', bucket, ARGV[i + 2]) == 'd' .. ARGV[i] then redis.call('HDEL', bucket, ARGV[i + 2]) end
  end
end
return { deleted, #ARGV / 3 }
