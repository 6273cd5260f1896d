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
    local field = ARGV[i + 2]
    if redis.call('HGET', bucket, field) == 'd' .. ARGV[i] then
      redis.call('HDEL', bucket, field)
      if #field == 1 and redis.call('HINCRBY', bucket, '#', -1) <= 0 then redis.call('DEL', bucket) end
    end
  end
end
return { deleted, #ARGV / 3 }
