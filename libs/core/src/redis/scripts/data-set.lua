-- Says which data this is and how far it goes.
--
-- KEYS  1 high  2 normal  3 low  4 control
-- Returns  name of the data set ('' none)  the last entry ever written to each lane ('0-0' none)
-- Guarantee: changes nothing.
local function last(key)
  local stream = redis.pcall('XINFO', 'STREAM', key)
  if stream.err then return '0-0' end
  for i = 1, #stream, 2 do
    if stream[i] == 'last-generated-id' then return stream[i + 1] end
  end
end
return { redis.call('HGET', KEYS[4], 'epoch') or '', last(KEYS[1]), last(KEYS[2]), last(KEYS[3]) }
