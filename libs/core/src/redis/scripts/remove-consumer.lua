-- Removes a consumer that holds nothing.
--
-- KEYS  1 high  2 normal  3 low  4 wake  5 control
-- ARGV  1 consumer
-- Returns  1 when it is gone, 0 when it holds entries
-- Guarantee: a consumer is never removed together with entries it holds: they would be out of everybody's reach.
--   Its duties are free at once.
if redis.call('HGET', KEYS[5], 'promoter') == ARGV[1] then redis.call('HDEL', KEYS[5], 'promoter', 'promoterUntil') end
for lane = 1, 3 do
  local page = redis.pcall('XPENDING', KEYS[lane], 'workers', '-', '+', 1, ARGV[1])
  if not page.err and page[1] then return 0 end
end
for key = 1, 4 do redis.pcall('XGROUP', 'DELCONSUMER', KEYS[key], 'workers', ARGV[1]) end
return 1
