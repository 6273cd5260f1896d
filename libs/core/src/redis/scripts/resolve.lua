-- Says what became of a group whose answer was lost, and sees to it that it stays that way.
--
-- KEYS  1 record of the producer's channel
-- ARGV  1 sequence of the group  2 ttl of the record, ms
-- Returns  the answer of the group, as the `enqueue` script gave it; -<sequence> when it was not applied, of the last
--          group that is known
-- Guarantee: a group that was not applied by now never will be, though a try of it may still be on its way.
local record, known = redis.call('GET', KEYS[1]), '0'
if record then
  local sequence, answer = record:match('^(%d+) (.*)$')
  if sequence == ARGV[1] then return answer end
  if tonumber(sequence) > tonumber(ARGV[1]) then return 'late' end
  known = answer:match('^[!-](%d+)') or sequence
end
redis.call('SET', KEYS[1], ARGV[1] .. ' -' .. known, 'PX', ARGV[2])
return '-' .. known
