-- Says which tasks are due, to whoever has the duty of promoting them.
--
-- KEYS  1 scheduled  2 control  3 wake
-- ARGV  1 consumer  2 duty, ms  3 1 to take the duty over  4 page  5 wake entry to acknowledge ('' none)
-- Returns  now  1 when the consumer has the duty  ms until the next task is due (-1: none waits)  ids that are due
-- Guarantee: changes no task. The duty only saves work: promoting twice at once is harmless.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[5] ~= '' then
  redis.pcall('XACK', KEYS[3], 'workers', ARGV[5])
  redis.call('XDEL', KEYS[3], ARGV[5])
end
local duty = redis.call('HMGET', KEYS[2], 'promoter', 'promoterUntil')
-- A duty that ends later than one that begins now was written by a clock that was ahead.
local ends = tonumber(duty[2] or 0)
local free = not duty[1] or duty[1] == ARGV[1] or ends <= now or ends > now + ARGV[2]
if not free and ARGV[3] ~= '1' then return { now, 0, -1, {} } end
-- Refused when memory is short: then everybody looks.
redis.pcall('HSET', KEYS[2], 'promoter', ARGV[1], 'promoterUntil', string.format('%d', now + ARGV[2]))
local ids = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%d', now), 'BYSCORE', 'LIMIT', 0, ARGV[4])
local head = redis.call('ZRANGE', KEYS[1], #ids, #ids, 'WITHSCORES')[2]
return { now, 1, head and math.max(0, tonumber(head) - now) or -1, ids }
