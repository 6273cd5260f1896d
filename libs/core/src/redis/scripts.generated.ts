// Generated from scripts/*.lua: do not edit. Change the .lua file, then run `npm run generate`.

export const scripts = {
  cleaningDue: {
    name: 'cleaning-due',
    sha1: '3452918f0f65d4888b8f0599e36fd4a892253ebd',
    lua: `local MOST_CONSUMERS = 500
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = string.format('%d', math.max(0, now - ARGV[4] - 1))
local seen = 0
local function has_gone(first)
  local idle, pending = {}, {}
  for lane = 0, 3 do
    local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[first + lane], 'workers')
    for _, consumer in ipairs(consumers.err and {} or consumers) do
      seen = seen + 1
      local field = {}
      for i = 1, #consumer, 2 do field[consumer[i]] = consumer[i + 1] end
      idle[field.name] = math.min(idle[field.name] or field.idle, field.idle)
      pending[field.name] = (pending[field.name] or 0) + (lane < 3 and field.pending or 0)
    end
  end
  for name, ms in pairs(idle) do
    if name ~= 'released' and name ~= ARGV[1] and pending[name] == 0 and ms >= tonumber(ARGV[2]) then return true end
  end
  return false
end
local function has_letters(key)
  local count = redis.pcall('XLEN', key)
  if type(count) == 'table' or count > tonumber(ARGV[3]) then return true end
  return count > 0 and redis.call('XRANGE', key, '-', oldest, 'COUNT', 1)[1] ~= nil
end
local answer = { now, 0 }
for i = 1, #KEYS, 5 do
  if seen >= MOST_CONSUMERS then break end
  answer[2] = (i + 4) / 5
  if has_letters(KEYS[i + 4]) or has_gone(i) then answer[#answer + 1] = (i + 4) / 5 end
end
return answer`,
  },
  confirm: {
    name: 'confirm',
    sha1: '3f8b4583867b7350510a487330b5299d3e38f7b5',
    lua: `local known = {}
for i = 1, #KEYS do
  local record = redis.call('GET', KEYS[i])
  known[i] = record and record:match('^(%d+) ') == ARGV[i + 1] and 1 or 0
  if known[i] == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
end
return known`,
  },
  counts: {
    name: 'counts',
    sha1: '7194b6b1b993881610ebdff27efc1a7d5d42a2aa',
    lua: `local time = redis.call('TIME')
local ready, active, oldest = {}, 0, nil
local function look_at(key, start)
  local entry = redis.call('XRANGE', key, start, '+', 'COUNT', 1)[1]
  if not entry then return end
  for i = 1, #entry[2], 2 do
    local at = entry[2][i] == 'enqueuedAt' and tonumber(entry[2][i + 1])
    if at and (not oldest or at < oldest) then oldest = at end
  end
end
local function last_delivered(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    local field = {}
    for i = 1, #group, 2 do field[group[i]] = group[i + 1] end
    if field.name == 'workers' then return field['last-delivered-id'] end
  end
  return '0-0'
end
for lane = 1, 3 do
  local length = redis.call('XLEN', KEYS[lane])
  local summary = redis.pcall('XPENDING', KEYS[lane], 'workers')
  local pending, released = summary[1] or 0, 0
  for _, holder in ipairs(summary[4] or {}) do
    if holder[1] == 'released' then released = tonumber(holder[2]) end
  end
  if length > pending then look_at(KEYS[lane], '(' .. last_delivered(KEYS[lane])) end
  if released > 0 then
    local first = redis.call('XPENDING', KEYS[lane], 'workers', '-', '+', 1, 'released')[1]
    look_at(KEYS[lane], first[1])
  end
  ready[lane] = length - pending + released
  active = active + pending - released
end
return { time[1] * 1000 + math.floor(time[2] / 1000), ready, active, redis.call('ZCARD', KEYS[4]),
  redis.call('XLEN', KEYS[5]), oldest and string.format('%d', oldest) or '' }`,
  },
  dataSet: {
    name: 'data-set',
    sha1: 'bdcdaae95a76283760c4964102fdf2dcc3c51710',
    lua: `local function last(key)
  local stream = redis.pcall('XINFO', 'STREAM', key)
  if stream.err then return '0-0' end
  for i = 1, #stream, 2 do
    if stream[i] == 'last-generated-id' then return stream[i + 1] end
  end
end
return { redis.call('HGET', KEYS[4], 'epoch') or '', last(KEYS[1]), last(KEYS[2]), last(KEYS[3]) }`,
  },
  deleteDead: {
    name: 'delete-dead',
    sha1: 'bbb76bf36d04c6858521555ae64cd8020bcab0dc',
    lua: `local deleted = 0
for i = 1, #ARGV, 3 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    deleted = deleted + 1
    local bucket = KEYS[tonumber(ARGV[i + 1])]
    local field = ARGV[i + 2]
    if redis.call('HGET', bucket, field) == 'd' .. ARGV[i] then
      redis.call('HDEL', bucket, field)
      if #field == 1 and redis.call('HINCRBY', bucket, '#', -1) <= 0 then redis.call('DEL', bucket) end
    end
  end
end
return { deleted, #ARGV / 3 }`,
  },
  due: {
    name: 'due',
    sha1: '03920267b0d71eb10592c1d0f9eb5c3e6181514a',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[5] ~= '' then
  redis.pcall('XACK', KEYS[3], 'workers', ARGV[5])
  redis.call('XDEL', KEYS[3], ARGV[5])
end
local duty = redis.call('HMGET', KEYS[2], 'promoter', 'promoterUntil')
local ends = tonumber(duty[2] or 0)
local free = not duty[1] or duty[1] == ARGV[1] or ends <= now or ends > now + ARGV[2]
if not free and ARGV[3] ~= '1' then return { now, 0, -1, {} } end
redis.pcall('HSET', KEYS[2], 'promoter', ARGV[1], 'promoterUntil', string.format('%d', now + ARGV[2]))
local ids = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%d', now), 'BYSCORE', 'LIMIT', 0, ARGV[4])
local head = redis.call('ZRANGE', KEYS[1], #ids, #ids, 'WITHSCORES')[2]
return { now, 1, head and math.max(0, tonumber(head) - now) or -1, ids }`,
  },
  enqueue: {
    name: 'enqueue',
    sha1: 'd79c036e20d5eacf4eac982c4acec4892569a4ee',
    lua: `local record, known = redis.call('GET', KEYS[7]), 0
if record then
  local sequence, answer = record:match('^(%d+) (.*)$')
  if sequence == ARGV[1] then return answer end
  known = tonumber(sequence)
  if known > tonumber(ARGV[1]) then return 'late' end
  local less = answer:match('^[!-](%d+)')
  if less and tonumber(ARGV[4]) < known then known = tonumber(less) end
end
local layout = redis.call('HGET', KEYS[9], 'partitions')
if layout and layout ~= ARGV[5] then
  return redis.error_reply('LAYOUT this belongs to a queue of ' .. layout .. ' partitions, not of ' .. ARGV[5])
end
local LANE = { h = 1, n = 2, l = 3 }
local count, max = tonumber(ARGV[6]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%d', now)
local function active(lane)
  local summary = redis.pcall('XPENDING', KEYS[lane], 'workers')
  local count = summary[1] or 0
  for _, holder in ipairs(summary[4] or {}) do
    if holder[1] == 'released' then count = count - holder[2] end
  end
  return count
end
local room = math.huge
if max > 0 then
  local ready = 0
  for lane = 1, 3 do ready = ready + redis.call('XLEN', KEYS[lane]) end
  if ready + count > max then
    for lane = 1, 3 do ready = ready - active(lane) end
    room = max - ready
  end
end
local woken, head = false, nil
local function due_time(due)
  if due == '' then return nil end
  local amount = tonumber(due:sub(2))
  local at = due:sub(1, 1) == '+' and now + amount or amount
  return at > now and at or nil
end
local function stands(key, first, last, id)
  for _, entry in ipairs(redis.call('XRANGE', key, first, last)) do
    if not id then return true end
    for n = 1, #entry[2], 2 do
      if entry[2][n] == 'id' and entry[2][n + 1] == id then return true end
    end
  end
  return false
end
local function is_there(bucket, field, id)
  if redis.call('ZSCORE', KEYS[4], id) then return true end
  if #field > 1 then return redis.call('HEXISTS', KEYS[bucket], field) == 1 end
  local rows = redis.call('HGETALL', KEYS[bucket])
  local run, from
  for n = 1, #rows, 2 do
    local kind, first, last = rows[n + 1]:match('^(%a)([%d-]*)~?([%d-]*)$')
    if rows[n] == field then
      if kind == 's' then return false end
      return stands(kind == 'd' and KEYS[8] or KEYS[LANE[kind]], first, first)
    end
    local begins = rows[n]:match('^~(.)$')
    if begins and begins <= field and (not from or begins > from) then
      run, from = { KEYS[LANE[kind]], first, last }, begins
    end
  end
  return run and stands(run[1], run[2], run[3], id)
end
local function earlier(i, id, bucket, field)
  local idempotency = ARGV[i + 4]
  if idempotency ~= '' then
    local known = redis.call('GET', KEYS[tonumber(idempotency)])
    if known then
      local fingerprint, first = known:match('^(%S+) (.*)$')
      return (fingerprint == ARGV[i + 5] and 'd' or 'c') .. first
    end
  end
  local unique = ARGV[i + 7]
  if unique ~= '' then
    local first = redis.call('GET', KEYS[tonumber(unique)])
    if first then return 'd' .. first end
  end
  if ARGV[i + 9] == '1' and is_there(bucket, field, id) then return 'd' .. id end
end
local function remember(i, id, wait)
  if ARGV[i + 4] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 4])], ARGV[i + 5] .. ' ' .. id, 'PX', ARGV[i + 6])
  end
  if ARGV[i + 7] ~= '' then
    redis.call('SET', KEYS[tonumber(ARGV[i + 7])], id, 'PX', string.format('%d', ARGV[i + 8] + wait))
  end
end
local function add(lane, id, type, payload, meta)
  if meta == '' then
    return redis.call('XADD', KEYS[LANE[lane]], '*', 'id', id, 'type', type, 'payload', payload, 'enqueuedAt', stamp)
  end
  return redis.call('XADD', KEYS[LANE[lane]], '*', 'id', id, 'type', type, 'payload', payload,
    'enqueuedAt', stamp, 'meta', meta)
end
local function wait(lane, id, type, payload, meta, at)
  head = head or tonumber(redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2] or math.huge)
  if at < head then woken, head = true, at end
  redis.call('HSET', KEYS[5], id, lane .. '\\n1\\n' .. stamp .. '\\n' .. type .. '\\n' .. meta .. '\\n' .. payload)
  redis.call('ZADD', KEYS[4], string.format('%d', at), id)
  return 's'
end
local placed = {}
local answers = {}
local function accept_run(i)
  local lane, bucket, number, prefix = ARGV[i]:match('^(%a) (%d+) (%d+) (%S+)$')
  local text, find, sub, from = ARGV[i + 1], string.find, string.sub, 1
  local fits = math.max(0, math.min(number, room))
  local begins, first, last
  for _ = 1, fits do
    local a = find(text, '\\n', from, true)
    local b = find(text, '\\n', a + 1, true)
    local c = find(text, '\\n', b + 1, true)
    local d = find(text, '\\n', c + 1, true)
    local field = sub(text, from, a - 1)
    last = add(lane, prefix .. field, sub(text, a + 1, b - 1), sub(text, b + 1, c - 1), sub(text, c + 1, d - 1))
    begins, first = begins or field, first or last
    from = d + 1
  end
  if fits > 0 then
    redis.call('HSET', KEYS[tonumber(bucket)], '~' .. begins, lane .. first .. '~' .. last)
    redis.call('HINCRBY', KEYS[tonumber(bucket)], '#', fits)
    answers[#answers + 1] = 'a' .. fits
  end
  if fits < tonumber(number) then answers[#answers + 1] = 'f' .. number - fits end
  room = room - fits
  return tonumber(number)
end
local function accept_one(i)
  local kind, bucket, field, id, type = ARGV[i]:match('^(%a) (%d+) (%S+) (%S+) (%S+)$')
  local lane, payload, meta = kind:lower(), ARGV[i + 1], ARGV[i + 2]
  bucket = tonumber(bucket)
  local answer = earlier(i, id, bucket, field)
  if answer then return answer end
  local at = due_time(ARGV[i + 3])
  if not at then
    if room < 1 then return 'f1' end
    room = room - 1
  end
  local place = at and wait(lane, id, type, payload, meta, at) or lane .. add(lane, id, type, payload, meta)
  remember(i, id, at and at - now or 0)
  redis.call('HSET', KEYS[bucket], field, place)
  if #field == 1 then placed[bucket] = (placed[bucket] or 0) + 1 end
  return 'a1'
end
local i, done = 7, 0
while done < count do
  if LANE[ARGV[i]:sub(1, 1)] then
    done = done + accept_run(i)
    i = i + 2
  else
    answers[#answers + 1] = accept_one(i)
    done = done + 1
    i = i + 10
  end
end
for bucket, number in pairs(placed) do redis.call('HINCRBY', KEYS[bucket], '#', number) end
if woken then redis.call('XADD', KEYS[6], 'MAXLEN', 8, '*', 'why', 'due') end
local answer = table.concat(answers, ' ')
if known < tonumber(ARGV[4]) then answer = '!' .. known .. ' ' .. answer end
redis.call('SET', KEYS[7], ARGV[1] .. ' ' .. answer, 'PX', ARGV[3])
return answer`,
  },
  ensure: {
    name: 'ensure',
    sha1: '69c196100dd0daddd65e873387264986d7eb637d',
    lua: `local KIND = { 'stream', 'stream', 'stream', 'stream', 'stream', 'zset', 'hash', 'hash' }
local YEAR_2026 = 1767225600
local wrong, inhabited = {}, false
for key = 1, 8 do
  local kind = redis.call('TYPE', KEYS[key]).ok
  if key ~= 4 and key ~= 8 and kind ~= 'none' then inhabited = true end
  if kind ~= 'none' and kind ~= KIND[key] then
    wrong[#wrong + 1] = KEYS[key]
    wrong[#wrong + 1] = kind
    wrong[#wrong + 1] = KIND[key]
  end
end
if #wrong > 0 then return { -1, unpack(wrong) } end
local function has_group(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == 'workers' then return true end
    end
  end
  return false
end
local made = 0
for key = 1, 4 do
  if ARGV[2] == '1' and not has_group(KEYS[key]) then
    redis.call('XGROUP', 'CREATE', KEYS[key], 'workers', '0', 'MKSTREAM')
    made = made + 1
  end
end
local run = redis.call('INFO', 'server'):match('run_id:(%w+)')
local control = redis.call('HMGET', KEYS[8], 'epoch', 'run', 'era')
local name, era = control[1], tonumber(control[3] or 0)
local outdated = (name or inhabited) and (made > 0 or control[2] ~= run)
if not name then
  name = ARGV[1]
  redis.call('HSET', KEYS[8], 'epoch', name, 'run', run, 'era', 0)
end
if ARGV[3] ~= '' and ARGV[3] ~= name and tonumber(ARGV[4]) >= era then
  era = tonumber(ARGV[4])
  outdated = true
end
if outdated then
  era = math.max(era + 1, redis.call('TIME')[1] - YEAR_2026)
  redis.pcall('HSET', KEYS[8], 'run', run, 'era', string.format('%d', era))
end
return { made, name, era }`,
  },
  eras: {
    name: 'eras',
    sha1: 'b44dd6358a8ee97014a2ee1fb2949e98ca0dc490',
    lua: `local eras = {}
for i = 1, #KEYS do eras[i] = tonumber(redis.call('HGET', KEYS[i], 'era') or 0) end
return eras`,
  },
  extend: {
    name: 'extend',
    sha1: '0a46996b039eec6c80f0d47a744c2ab3ef85b52a',
    lua: `local time = redis.call('TIME')
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
return { time[1] * 1000 + math.floor(time[2] / 1000), lost }`,
  },
  promote: {
    name: 'promote',
    sha1: 'd364eb1e5bddcb241bc587e81ebefe4d1ced2f0e',
    lua: `local LANE = { h = 1, n = 2, l = 3 }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local budget = tonumber(ARGV[1])
local moved, looked = 0, 0
local function fields_of(id, type, payload, attempt, enqueued, meta)
  local fields = { 'id', id, 'type', type, 'payload', payload }
  local function say(name, text)
    fields[#fields + 1] = name
    fields[#fields + 1] = text
  end
  if attempt ~= '1' then say('attempt', attempt) end
  say('enqueuedAt', enqueued)
  if meta ~= '' then say('meta', meta) end
  return fields
end
local function move(id, bucket, field)
  local task = redis.call('HGET', KEYS[5], id)
  if not task then return end
  budget = budget - #task
  local lane, attempt, enqueued, type, meta, payload = task:match('^(.)\\n(%d+)\\n(%d*)\\n([^\\n]*)\\n([^\\n]*)\\n(.*)$')
  local entry
  if LANE[lane] then
    entry = lane .. redis.call('XADD', KEYS[LANE[lane]], '*', unpack(fields_of(id, type, payload, attempt, enqueued, meta)))
    moved = moved + 1
  else
    entry = 'd' .. redis.call('XADD', KEYS[6], '*', 'diedAt', string.format('%d', now), 'id', id,
      'reason', 'malformed', 'detail', 'stored while it waited, and not readable', 'payload', task)
  end
  redis.call('HSET', KEYS[bucket], field, entry)
end
local ids, gone, failure = {}, {}, nil
for i = 2, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local due = redis.call('ZMSCORE', KEYS[4], unpack(ids))
for n, id in ipairs(ids) do
  if budget <= 0 then break end
  looked = looked + 1
  if due[n] and tonumber(due[n]) <= now then
    local done, why = pcall(move, id, tonumber(ARGV[n * 3]), ARGV[n * 3 + 1])
    if not done then
      failure = why
      break
    end
    gone[#gone + 1] = id
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[4], unpack(gone))
  redis.call('HDEL', KEYS[5], unpack(gone))
end
if failure then return redis.error_reply(failure) end
return { moved, looked }`,
  },
  reclaim: {
    name: 'reclaim',
    sha1: '0e3e1e94aa3867601d1c5fbea3d2eb92c50ad051',
    lua: `local PAGE = 100
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
  if next_sweep > now and next_sweep <= now + every then return { now, 0, 0, 0, '', '', 0, {}, {} } end
  redis.pcall('HSET', KEYS[4], 'nextSweepAt', string.format('%d', now + every))
end
local taken, own, left, suspected = {}, {}, 0, 0
local function silent(lane, from, to, count, holder)
  local rows = redis.pcall('XPENDING', KEYS[lane], 'workers', 'IDLE', ARGV[2], from, to, count, holder)
  return rows.err and {} or rows
end
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
return { now, era, late, go_on[1], go_on[2], go_on[3], left, own, taken }`,
  },
  recordPartitions: {
    name: 'record-partitions',
    sha1: 'c6f0751c504866102b0e68579c4ce716af1feba1',
    lua: `local recorded = redis.call('HGET', KEYS[6], 'partitions')
local counts = recorded or ARGV[2]
local function empty()
  if redis.call('ZCARD', KEYS[5]) > 0 then return false end
  for key = 1, 4 do
    if redis.call('XLEN', KEYS[key]) > 0 then return false end
  end
  return true
end
if counts ~= ARGV[1] then
  if (ARGV[3] ~= '' and ARGV[3] ~= counts) or not empty() then return tonumber(counts) end
end
if recorded ~= ARGV[1] then redis.call('HSET', KEYS[6], 'partitions', ARGV[1]) end
return tonumber(ARGV[1])`,
  },
  removeConsumer: {
    name: 'remove-consumer',
    sha1: 'ed6b5e0297ccb73a887b0ce1e5c16e7b90996c09',
    lua: `if redis.call('HGET', KEYS[5], 'promoter') == ARGV[1] then redis.call('HDEL', KEYS[5], 'promoter', 'promoterUntil') end
for lane = 1, 3 do
  local page = redis.pcall('XPENDING', KEYS[lane], 'workers', '-', '+', 1, ARGV[1])
  if not page.err and page[1] then return 0 end
end
for key = 1, 4 do redis.pcall('XGROUP', 'DELCONSUMER', KEYS[key], 'workers', ARGV[1]) end
return 1`,
  },
  replay: {
    name: 'replay',
    sha1: '95726af8a7a8879c8293caa5eb2d11e9c826ce21',
    lua: `local LANE = { h = 1, n = 2, l = 3 }
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local budget = tonumber(ARGV[1])
local moved, looked = 0, 0
local function fields_of(f)
  if f.raw and f.raw ~= '' then
    local ok, raw = pcall(cjson.decode, f.raw)
    return ok and type(raw) == 'table' and #raw > 0 and #raw % 2 == 0 and raw or nil
  end
  if not (f.id and f.type and f.payload) then return nil end
  local fields = { 'id', f.id, 'type', f.type, 'payload', f.payload, 'enqueuedAt', now }
  if (f.replayMeta or '') ~= '' then
    fields[9], fields[10] = 'meta', f.replayMeta
  end
  return fields
end
for i = 2, #ARGV, 3 do
  if budget <= 0 then break end
  looked = looked + 1
  local letter = redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1]
  if letter then
    local f = {}
    for n = 1, #letter[2], 2 do
      f[letter[2][n]] = letter[2][n + 1]
      budget = budget - #letter[2][n + 1]
    end
    local fields = fields_of(f)
    if fields then
      local lane = LANE[f.lane] and f.lane or 'n'
      local entry = redis.call('XADD', KEYS[LANE[lane]], '*', unpack(fields))
      redis.call('HSET', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2], lane .. entry)
      redis.call('XDEL', KEYS[4], ARGV[i])
      moved = moved + 1
    end
  end
end
return { moved, looked }`,
  },
  resolve: {
    name: 'resolve',
    sha1: 'd58db2c31b026d35ac08b1476beda0e3bbacd2d5',
    lua: `local record, known = redis.call('GET', KEYS[1]), '0'
if record then
  local sequence, answer = record:match('^(%d+) (.*)$')
  if sequence == ARGV[1] then return answer end
  if tonumber(sequence) > tonumber(ARGV[1]) then return 'late' end
  known = answer:match('^[!-](%d+)') or sequence
end
redis.call('SET', KEYS[1], ARGV[1] .. ' -' .. known, 'PX', ARGV[2])
return '-' .. known`,
  },
  settle: {
    name: 'settle',
    sha1: '7b3af5158384c1f40b76776027d90577cefddf6e',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumer, stale, owned, missing = ARGV[1], {}, { {}, {}, {} }, 0
local leased, buried = {}, {}
local LANE = { 'h', 'n', 'l' }
local function delivery_of(lane, entry)
  local known = owned[lane][entry]
  if known == nil then
    local one = redis.pcall('XPENDING', KEYS[lane], 'workers', entry, entry, 1, consumer)
    known = not one.err and one[1] and one[1][4] or false
    owned[lane][entry] = known
  end
  return known
end
local function survey(lane, low, high, count)
  if count < 2 then return {} end
  local page = redis.pcall('XPENDING', KEYS[lane], 'workers', low, high, count * 2 + 16, consumer)
  return page.err and {} or page
end
local function all_ours(page, from, to)
  local at = 1
  for n = from, to do
    while page[at] and page[at][1] ~= ARGV[n] do at = at + 1 end
    if not page[at] or page[at][4] ~= 1 then return false end
    at = at + 1
  end
  return true
end
local function holds(position, lane, entry, delivery, op)
  local known = delivery_of(lane, entry)
  if known ~= tonumber(delivery) then
    stale[#stale + 1] = position
    if op ~= 'release' and known ~= 'settled' then
      local one = redis.pcall('XPENDING', KEYS[lane], 'workers', entry, entry, 1)
      if not one.err and one[1] then leased[#leased + 1] = position end
    end
    return false
  end
  owned[lane][entry] = 'settled'
  return true
end
local function remove(lane, entries)
  redis.call('XACK', KEYS[lane], 'workers', unpack(entries))
  redis.call('XDEL', KEYS[lane], unpack(entries))
end
local function free(key, id)
  if key ~= '' and redis.call('GET', KEYS[tonumber(key)]) == id then redis.call('DEL', KEYS[tonumber(key)]) end
end
local function ended(bucket, count)
  if redis.call('HINCRBY', bucket, '#', -count) <= 0 then redis.call('DEL', bucket) end
end
local function forget(bucket, field)
  redis.call('HDEL', bucket, field)
  if #field == 1 then ended(bucket, 1) end
end
local function finish_each(lane, position, deliveries, buckets, from, to)
  local entries, gone, n = {}, {}, from
  local next_delivery = deliveries:gmatch('%d+')
  for bucket, count in buckets:gmatch('(%d+) (%d+)') do
    for at = n, n + count - 1 do
      if holds(position + at - from, lane, ARGV[at], next_delivery() or 1) then
        entries[#entries + 1] = ARGV[at]
        gone[bucket] = (gone[bucket] or 0) + 1
      end
    end
    n = n + count
  end
  if #entries == 0 then return end
  remove(lane, entries)
  for bucket, count in pairs(gone) do
    if bucket ~= '0' then ended(KEYS[tonumber(bucket)], count) end
  end
end
local function finish(lane, position, page, settled, from, to)
  local deliveries, buckets = ARGV[from - 2], ARGV[from - 1]
  if settled > to - from + 1 or deliveries ~= '' or not all_ours(page, from, to) then
    for _, row in ipairs(page) do owned[lane][row[1]] = row[4] end
    return finish_each(lane, position, deliveries, buckets, from, to)
  end
  redis.call('XACK', KEYS[lane], 'workers', unpack(ARGV, from, to))
  redis.call('XDEL', KEYS[lane], unpack(ARGV, from, to))
  for bucket, count in buckets:gmatch('(%d+) (%d+)') do
    if bucket ~= '0' then ended(KEYS[tonumber(bucket)], count) end
  end
end
local i, position = 7, 0
for lane = 1, 3 do
  local settled = tonumber(ARGV[i])
  i = i + 1
  if settled > 0 then
    local page, done = survey(lane, ARGV[i], ARGV[i + 1], settled), tonumber(ARGV[i + 2])
    i = i + 3
    if done > 0 then
      finish(lane, position, page, settled, i + 2, i + 1 + done)
      position = position + done
      i = i + 2 + done
    else
      for _, row in ipairs(page) do owned[lane][row[1]] = row[4] end
    end
  end
end
local woken = {}
local apply = {}
function apply.remove(a, lane, entry, bucket, field)
  remove(lane, { entry })
  forget(bucket, field)
  free(ARGV[a], ARGV[a + 1])
end
local function bury(position, a, lane, entry)
  local attempt, enqueued, type, meta, payload = ARGV[a + 2]:match('^(%d+)\\n(%d*)\\n([^\\n]*)\\n([^\\n]*)\\n(.*)$')
  redis.call('XADD', KEYS[4], '*', 'diedAt', string.format('%d', now), 'id', ARGV[a], 'type', type,
    'payload', payload, 'attempt', attempt, 'enqueuedAt', enqueued, 'meta', meta, 'reason', 'duplicate-id',
    'detail', 'another task with this id was waiting when this one was to wait', 'lane', LANE[lane],
    'replayMeta', meta)
  buried[#buried + 1] = position
  remove(lane, { entry })
end
function apply.schedule(a, lane, entry, bucket, field, _, _, position)
  local id, at = ARGV[a], now + tonumber(ARGV[a + 1])
  if redis.call('ZSCORE', KEYS[5], id) then return bury(position, a, lane, entry) end
  local head = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]
  if not head or at < tonumber(head) then woken.due = true end
  redis.call('HSET', KEYS[6], id, LANE[lane] .. '\\n' .. ARGV[a + 2])
  redis.call('ZADD', KEYS[5], string.format('%d', at), id)
  redis.call('HSET', bucket, field, 's')
  local unique = KEYS[tonumber(ARGV[a + 3])]
  if unique and (redis.call('GET', unique) or id) == id then
    redis.call('SET', unique, id, 'PX', string.format('%d', ARGV[a + 4] + at - now))
  end
  remove(lane, { entry })
end
function apply.dead(a, lane, entry, bucket, field, count)
  local letter = redis.call('XADD', KEYS[4], '*', 'diedAt', string.format('%d', now), unpack(ARGV, a + 2, a + count - 1))
  redis.call('HSET', bucket, field, 'd' .. letter)
  remove(lane, { entry })
  free(ARGV[a], ARGV[a + 1])
end
function apply.release(a, lane, entry, _, _, _, delivery)
  local count = ARGV[a] == '1' and (math.floor(delivery / 1000) + 1) * 1000 or delivery + 999
  redis.call('XCLAIM', KEYS[lane], 'workers', 'released', 0, entry, 'IDLE', string.format('%d', ARGV[2] * 2),
    'RETRYCOUNT', string.format('%d', count), 'JUSTID')
  woken.released = true
end
local others = tonumber(ARGV[i])
i = i + 1
for _ = 1, others do
  local op, lane, entry, count = ARGV[i], tonumber(ARGV[i + 2]), ARGV[i + 3], tonumber(ARGV[i + 7])
  local at = -1 - tonumber(ARGV[i + 1])
  if holds(at, lane, entry, ARGV[i + 4], op) then
    apply[op](i + 8, lane, entry, KEYS[tonumber(ARGV[i + 5])], ARGV[i + 6], count, tonumber(ARGV[i + 4]), at)
  end
  i = i + 8 + count
end
for why in pairs(woken) do redis.call('XADD', KEYS[7], 'MAXLEN', 8, '*', 'why', why) end
local taken, wanted = { {}, {}, {} }, tonumber(ARGV[3])
local function one_line(text) return not text:find('\\n', 1, true) end
local function compact(entry)
  local f = entry[2]
  if f[1] == 'id' and f[3] == 'type' and f[5] == 'payload' then
    local attempt, enqueued, meta
    if #f == 8 and f[7] == 'enqueuedAt' then
      attempt, enqueued, meta = '', f[8], ''
    elseif #f == 10 and f[7] == 'enqueuedAt' and f[9] == 'meta' and f[10] ~= '' then
      attempt, enqueued, meta = '', f[8], f[10]
    elseif #f == 12 and f[7] == 'attempt' and f[8] ~= '' and f[9] == 'enqueuedAt' and f[11] == 'meta' and f[12] ~= '' then
      attempt, enqueued, meta = f[8], f[10], f[12]
    end
    if meta and one_line(f[2]) and one_line(f[4]) and one_line(attempt) and one_line(enqueued) and one_line(meta) then
      return entry[1] .. '\\n' .. f[2] .. '\\n' .. f[4] .. '\\n' .. attempt .. '\\n' .. enqueued .. '\\n' .. meta .. '\\n' .. f[6]
    end
  end
  return entry
end
local function take(lane, count)
  local page = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', count, 'STREAMS', KEYS[lane], '>')
  if page and page.err then
    if not page.err:find('NOGROUP', 1, true) then return error(page) end
    missing = 1
    return false
  end
  local entries = page and page[1][2] or {}
  for _, entry in ipairs(entries) do taken[lane][#taken[lane] + 1] = compact(entry) end
  wanted = wanted - #entries
  return #entries == count
end
local more = {}
for lane = 1, 3 do
  local count = math.min(tonumber(ARGV[3 + lane]), wanted)
  more[lane] = wanted > 0 and (count == 0 or take(lane, count))
end
for lane = 1, 3 do
  if wanted > 0 and more[lane] then take(lane, wanted) end
end
local era = tonumber(redis.call('HGET', KEYS[8], 'era') or 0)
if #leased + #buried == 0 then return { now, stale, missing, era, taken[1], taken[2], taken[3] } end
return { now, stale, missing, era, taken[1], taken[2], taken[3], leased, buried }`,
  },
  sweepsDue: {
    name: 'sweeps-due',
    sha1: '80f485d40f73cd3645cf35342e913bb1bd6ee40e',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' and now > tonumber(ARGV[2]) then return { now, 1 } end
local function is_held(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups.err and {} or groups) do
    local name, pending
    for i = 1, #group, 2 do
      if group[i] == 'name' then name = group[i + 1] end
      if group[i] == 'pending' then pending = group[i + 1] end
    end
    if name == 'workers' then return pending > 0 end
  end
  return false
end
local function may_begin(control)
  local next_sweep = redis.pcall('HGET', control, 'nextSweepAt')
  if type(next_sweep) == 'table' then return true end
  next_sweep = tonumber(next_sweep or 0)
  return next_sweep <= now or next_sweep > now + ARGV[1]
end
local answer = { now, 0 }
for i = 1, #KEYS, 4 do
  if (is_held(KEYS[i]) or is_held(KEYS[i + 1]) or is_held(KEYS[i + 2])) and may_begin(KEYS[i + 3]) then
    answer[#answer + 1] = (i + 3) / 4
  end
end
return answer`,
  },
  takeDuties: {
    name: 'take-duties',
    sha1: 'e09269d9e6a24a12122d0d973c9119072bc0de93',
    lua: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local queues = #KEYS / 2
local answer = { now, 0 }
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
    local ends = tonumber(duty[2] or 0)
    if not duty[1] or duty[1] == ARGV[1] or ends <= now or ends > now + ARGV[2] then
      redis.pcall('HSET', control, 'promoter', ARGV[1], 'promoterUntil', string.format('%d', now + ARGV[2]))
      answer[#answer + 1] = i
      answer[#answer + 1] = math.max(0, tonumber(head[2]) - now)
    end
  end
end
return answer`,
  },
} as const;
