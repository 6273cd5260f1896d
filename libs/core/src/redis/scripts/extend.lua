-- Renews leases.
--
-- KEYS  1 high  2 normal  3 low
-- ARGV  1 consumer, then per lease: lane (1-3)  entry  delivery
-- Returns  now  positions (from 0) of leases that are not this consumer's any more
-- Guarantee: a lease that another consumer has taken over is left to it (XCLAIM alone would take it back). The
--   delivery count stays as it is.
local time = redis.call('TIME')
local lost, kept = {}, { {}, {}, {} }
for i = 2, #ARGV, 3 do
  local lane, entry = tonumber(ARGV[i]), ARGV[i + 1]
  local row = redis.pcall('XPENDING', KEYS[lane], 'workers', entry, entry, 1, ARGV[1])
  if not row.err and row[1] and row[1][4] == tonumber(ARGV[i + 2]) then
    kept[lane][#kept[lane] + 1] = entry
  else
    lost[#lost + 1] = (i - 2) / 3
  end
end
for lane = 1, 3 do
  if #kept[lane] > 0 then
    local claim = { KEYS[lane], 'workers', ARGV[1], 0, unpack(kept[lane]) }
    claim[#claim + 1] = 'JUSTID'
    redis.call('XCLAIM', unpack(claim))
  end
end
return { time[1] * 1000 + math.floor(time[2] / 1000), lost }
