-- Says whether groups are still known, and moves on what is to be written to disk and to replicas.
--
-- KEYS  records of the producers' channels
-- ARGV  1 ttl of a record, ms, then per record: sequence of the group
-- Returns  1 for a group that is known, else 0
-- Guarantee: changes no task. The ttl is written anew, so that a WAIT on the same connection covers every write that
--   came before, on whichever connection.
local known = {}
for i = 1, #KEYS do
  local record = redis.call('GET', KEYS[i])
  known[i] = record and record:match('^(%d+) ') == ARGV[i + 1] and 1 or 0
  if known[i] == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
end
return known
