-- Leases one page of entries whose holder has been silent for longer than the lease, or that were handed back.
--
-- KEYS  1 high  2 normal  3 low  4 control  5 wake
-- ARGV  1 consumer  2 lease, ms  3 entries wanted  4 suspects wanted (0 or 1)  5 1: only entries handed back
--       6 no new sweep sooner than this many ms after this one has begun, unless it leaves something
--       7 lane to start in (1-3)
--       8 entry after which ('' a new sweep)  9 wake entry to acknowledge ('' none)
--       10.. what the consumer works on: lane (1-3) and entry in one text
-- Returns  now  era  lane to go on in (0: the sweep is over)  entry after which  entries left for want of room
--          entries taken: lane  entry with fields  deliveries  consumer that held it
-- Guarantee: at most 100 entries are looked at. A suspect has outlived two deliveries in a row; taking one at a
--   time keeps a task that kills its process from dragging its neighbours along. Entries deleted from the stream
--   are dropped from the pending list.
local PAGE = 100
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumer, lease, wanted, suspects = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local released = ARGV[5] == '1'
if ARGV[9] ~= '' then
  redis.pcall('XACK', KEYS[5], 'workers', ARGV[9])
  redis.call('XDEL', KEYS[5], ARGV[9])
end
if not released and ARGV[8] == '' and ARGV[7] == '1' then
  local next_sweep = redis.call('HGET', KEYS[4], 'nextSweepAt')
  if next_sweep and tonumber(next_sweep) > now then return { now, 0, 0, '', 0, {} } end
  -- Refused when memory is short: then everybody sweeps.
  redis.pcall('HSET', KEYS[4], 'nextSweepAt', string.format('%d', now + ARGV[6]))
end
-- Entries of two lanes may have the same id.
local held = {}
for i = 10, #ARGV do held[ARGV[i]] = true end

local taken, left, suspected = {}, 0, 0

local function consider(lane, entry, holder, idle, deliveries)
  if idle < lease or (holder == consumer and held[lane .. ' ' .. entry]) then return end
  local suspect = deliveries % 1000 >= 2
  if suspect and suspects == 0 then
    suspected = suspected + 1
    return
  end
  if wanted == 0 then
    left = left + 1
    return
  end
  local claimed = redis.call('XCLAIM', KEYS[lane], 'workers', consumer, 0, entry)
  if not claimed[1] then return end
  wanted = wanted - 1
  if suspect then suspects = suspects - 1 end
  taken[#taken + 1] = { lane, claimed[1], deliveries + 1, holder }
end

local lane, after, budget = tonumber(ARGV[7]), ARGV[8], PAGE
while lane <= 3 and budget > 0 do
  local page
  if released then
    page = redis.pcall('XPENDING', KEYS[lane], 'workers', '-', '+', budget, 'released')
  else
    page = redis.pcall('XPENDING', KEYS[lane], 'workers', after == '' and '-' or '(' .. after, '+', budget)
  end
  if page.err then page = {} end
  for _, row in ipairs(page) do consider(lane, row[1], row[2], row[3], row[4]) end
  if #page == budget then
    after = page[#page][1]
    budget = 0
    if released then left = left + 1 end
  else
    budget = budget - #page
    lane = lane + 1
    after = ''
  end
end
local over = lane > 3 or released
if left + suspected > 0 then
  redis.call('HDEL', KEYS[4], 'nextSweepAt')
  if #taken > 0 then redis.call('XADD', KEYS[5], 'MAXLEN', 8, '*', 'why', 'released') end
end
return { now, tonumber(redis.call('HGET', KEYS[4], 'era') or 0), over and 0 or lane, after, left, taken }
