-- Gives a consumer the duty of promoting in queues in which tasks wait and nobody else has it.
--
-- KEYS  scheduled of each queue, then control of each
-- ARGV  1 consumer  2 duty, ms
-- Returns  now  1 when tasks wait in any of the queues  then of each queue in which it has the duty: its position
--          ms until the next task is due (0 where the keys cannot be read)
-- Guarantee: changes no task. Where nothing waits nobody needs the duty, and nothing is written. One queue that cannot
--   be read keeps nothing from the others.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local queues = #KEYS / 2
local answer = { now, 0 }
-- One look for all of them: nearly always nothing waits anywhere.
if redis.call('EXISTS', unpack(KEYS, 1, queues)) == 0 then return answer end
answer[2] = 1

for i = 1, queues do
  local control = KEYS[queues + i]
  local head = redis.pcall('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  local duty = redis.pcall('HMGET', control, 'promoter', 'promoterUntil')
  if head.err or duty.err then
    answer[#answer + 1] = i
    answer[#answer + 1] = 0
  elseif head[1] then
    -- A duty that ends later than one that begins now was written by a clock that was ahead.
    local ends = tonumber(duty[2] or 0)
    if not duty[1] or duty[1] == ARGV[1] or ends <= now or ends > now + ARGV[2] then
      -- Refused when memory is short: then everybody looks.
      redis.pcall('HSET', control, 'promoter', ARGV[1], 'promoterUntil', string.format('%d', now + ARGV[2]))
      answer[#answer + 1] = i
      answer[#answer + 1] = math.max(0, tonumber(head[2]) - now)
    end
  end
end
return answer
