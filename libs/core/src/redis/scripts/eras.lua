-- Says the eras of queues' data.
--
-- KEYS  control of each queue
-- Returns  the era of each
-- Guarantee: changes nothing.
local eras = {}
for i = 1, #KEYS do eras[i] = tonumber(redis.call('HGET', KEYS[i], 'era') or 0) end
return eras
