-- Leases one page of entries whose holder has been silent for longer than the lease, or that were handed back.
--
-- KEYS  1 high  2 normal  3 low  4 control  5 wake
-- ARGV  1 consumer  2 lease, ms  3 entries wanted  4 suspects wanted (0 or 1)
--       5 what is looked at: `sweep` all, `released` what was handed back, `strays` the consumer's own named in 12..
--       6 no new sweep sooner than this many ms after this one has begun, unless it leaves something
--       7 after this time the call is late ('' never)
--       8 lane to go on in (1-3)  9 holder to go on with ('' a new sweep)  10 entry after which ('' its first)
--       11 wake entry to acknowledge ('' none)
--       12.. strays: lane (1-3)  entry
-- Returns  now  era  1 when late  lane to go on in (0: the sweep is over)  holder  entry after which
--          entries left for want of room  the consumer's own silent entries: lane  entry
--          entries taken: lane  entry with fields  deliveries  consumer that held it
-- Guarantee: a call that is late takes nothing but what was handed back: while it waited every lease may seem to have
--   run out. At most 100 silent entries are looked at, holder by holder. What is left is where the sweep goes on. The
--   consumer's own entries are answered, and taken only when named: it alone knows which it works on. A suspect has
--   outlived two deliveries in a row; taking one at a time keeps a task that kills its process from dragging its
--   neighbours along. Entries deleted from the stream are dropped from the pending list.
local PAGE = 100
-- Entries of holders that one call walks over to find silent ones, unless a single holder has more.
local WALK = 10000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumer, wanted, suspects, what = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
if ARGV[11] ~= '' then
  redis.pcall('XACK', KEYS[5], 'workers', ARGV[11])
  redis.call('XDEL', KEYS[5], ARGV[11])
end
local late = ARGV[7] ~= '' and now > tonumber(ARGV[7]) and 1 or 0
if late == 1 and what ~= 'released' then return { now, 0, 1, 0, '', '', 0, {}, {} } end
if what == 'sweep' and ARGV[8] == '1' and ARGV[9] == '' then
  local every = tonumber(ARGV[6])
  local next_sweep = tonumber(redis.call('HGET', KEYS[4], 'nextSweepAt') or 0)
  -- One that is further away was written by a clock that was ahead.
  if next_sweep > now and next_sweep <= now + every then return { now, 0, 0, 0, '', '', 0, {}, {} } end
  -- Refused when memory is short: then everybody sweeps.
  redis.pcall('HSET', KEYS[4], 'nextSweepAt', string.format('%d', now + every))
end

local taken, own, left, suspected = {}, {}, 0, 0

-- Entries that a holder has been silent about for a lease.
local function silent(lane, from, to, count, holder)
  local rows = redis.pcall('XPENDING', KEYS[lane], 'workers', 'IDLE', ARGV[2], from, to, count, holder)
  return rows.err and {} or rows
end

-- Takes an entry; answers whether it is left for want of room.
local function take(lane, row)
  local deliveries = row[4]
  local suspect = deliveries % 1000 >= 2
  if suspect and suspects == 0 then
    suspected = suspected + 1
    return false
  end
  if wanted == 0 then
    left = left + 1
    return true
  end
  local claimed = redis.call('XCLAIM', KEYS[lane], 'workers', consumer, 0, row[1])
  if not claimed[1] then return false end
  wanted = wanted - 1
  if suspect then suspects = suspects - 1 end
  taken[#taken + 1] = { lane, claimed[1], deliveries + 1, row[2] }
  return false
end

-- Whether one name comes before another as Redis sorts them, by bytes; `<` goes by the language of the machine.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return a:byte(i) < b:byte(i) end
  end
  return #a < #b
end

local function released()
  local budget = PAGE
  for lane = 1, 3 do
    local rows = silent(lane, '-', '+', budget, 'released')
    for _, row in ipairs(rows) do take(lane, row) end
    budget = budget - #rows
    if budget == 0 then
      left = left + 1 -- there may be more
      return
    end
  end
end

local function strays()
  for i = 12, #ARGV, 2 do
    local lane = tonumber(ARGV[i])
    local row = silent(lane, ARGV[i + 1], ARGV[i + 1], 1, consumer)[1]
    if row then take(lane, row) end
  end
end

-- Answers where to go on: lane, holder, entry after which.
local function sweep()
  local budget, walked, kept = PAGE, 0, nil
  local holder, after = ARGV[9], ARGV[10]
  for lane = tonumber(ARGV[8]), 3 do
    local pending = redis.pcall('XPENDING', KEYS[lane], 'workers')
    for _, each in ipairs(not pending.err and pending[4] or {}) do
      local name, held = each[1], tonumber(each[2])
      if not before(name, holder) then
        if name ~= holder then after = '' end
        if budget == 0 or (walked > 0 and walked + held > WALK) then return kept or { lane, name, after } end
        walked = walked + held
        local rows = silent(lane, after == '' and '-' or '(' .. after, '+', budget, name)
        for _, row in ipairs(rows) do
          if name == consumer then
            own[#own + 1] = { lane, row[1] }
          elseif take(lane, row) and not kept then
            kept = { lane, name, after }
          end
          after = row[1]
        end
        budget = budget - #rows
        if budget == 0 then return kept or { lane, name, after } end
      end
    end
    holder, after = '', ''
  end
  return kept
end

local go_on
if what == 'strays' then strays() elseif what == 'released' then released() else go_on = sweep() end
if left + suspected > 0 and what ~= 'strays' then
  redis.call('HDEL', KEYS[4], 'nextSweepAt')
  if #taken > 0 then redis.call('XADD', KEYS[5], 'MAXLEN', 8, '*', 'why', 'released') end
end
go_on = go_on or { 0, '', '' }
local era = tonumber(redis.call('HGET', KEYS[4], 'era') or 0)
return { now, era, late, go_on[1], go_on[2], go_on[3], left, own, taken }
