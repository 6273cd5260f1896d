-- Removes a consumer that holds nothing.
--
-- KEYS  1 high  2 normal  3 low  4 wake
-- ARGV  1 consumer
-- Returns  1 when it is gone, 0 when it holds entries
-- Guarantee: a consumer is never removed together with entries it holds: they would be out of everybody's reach.
for lane = 1, 3 do
  local page = redis.pcall('XPENDING', KEYS[lane], 'workers', '-', '+', 1, ARGV[1])
  if not page.err and page[1] then return 0 end
end
for key = 1, 4 do redis.pcall('XGROUP', 'DELCONSUMER', KEYS[key], 'workers', ARGV[1]) end
return 1
