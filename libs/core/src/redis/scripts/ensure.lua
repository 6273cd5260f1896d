-- Makes the streams and groups of a queue where they are missing.
--
-- KEYS  1 high  2 normal  3 low  4 wake
-- Returns  how many groups were made
-- Guarantee: a group starts at 0, so tasks that were added before it are delivered. Nothing that exists is changed.
local made = 0
for key = 1, 4 do
  local answer = redis.pcall('XGROUP', 'CREATE', KEYS[key], 'workers', '0', 'MKSTREAM')
  if not answer.err then
    made = made + 1
  elseif not answer.err:find('BUSYGROUP', 1, true) then
    return answer
  end
end
return made
