-- Decides one payment; where nothing stands against it, places the hold and counts it in every window. The policy stands before it, as
-- constants: a new version of the policy is a new script.
-- KEYS: agent, what the agent spends at the service, hold, due.  ARGV: id, amount, recipient, service, how long the caller may pay (ms).
-- Returns {"approved", expires, remaining} or {"denied", code, ...}. Amounts are micro-units, moments are milliseconds.
local agent_key, service_key, hold_key, due_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, amount, recipient, service = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local OPEN, EXPIRED = 0, 2

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('MGET', agent_key, service_key, hold_key)
if not found[1] then return redis.error_reply('NOT_FOUND there is no such agent') end

-- The same id again: the same answer, or a conflict.
local content = recipient .. ' ' .. service
if found[3] then
  local _, held_amount, _, expires, remaining, _, _, _, _, rest = struct.unpack('<ddddddddd', found[3])
  if held_amount ~= amount or string.sub(found[3], rest) ~= content then
    return redis.error_reply('IDEMPOTENCY_CONFLICT the id was used for another payment')
  end
  return {'approved', expires, remaining, 'repeated'}
end

local is_active, balance, held, spent, calls, last_day, day_used, last_week, week_used, last_month, month_used,
  session, session_used, session_at, last_hour, hour_calls, hour_before, next_due
  = struct.unpack('<dddddddddddddddddd', found[1])
local service_day, service_used = 0, 0
if found[2] then service_day, service_used = struct.unpack('<dd', found[2]) end

-- Holds whose time is over give back what was not captured.
if now >= next_due then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', due_key, '-inf', now)) do
    local bytes = redis.call('GET', 'hold:' .. other)
    local _, hold_amount, captured, _, _, hold_day, hold_week, hold_month, hold_session, rest
      = struct.unpack('<ddddddddd', bytes)
    local released = math.max(0, hold_amount - captured)
    held = held - released
    if hold_day == last_day then day_used = day_used - released end
    if hold_week == last_week then week_used = week_used - released end
    if hold_month == last_month then month_used = month_used - released end
    if hold_session == session then session_used = session_used - released end
    local hold_service = string.match(bytes, ' ([^ ]*)$', rest)
    if hold_service == service then
      if hold_day == service_day then service_used = service_used - released end
    else
      local key = 'service:' .. agent_key .. ':' .. hold_service
      local other_day, other_used = struct.unpack('<dd', redis.call('GET', key))
      if hold_day == other_day then redis.call('SET', key, struct.pack('<dd', other_day, other_used - released)) end
    end
    redis.call('SET', 'hold:' .. other, struct.pack('<d', EXPIRED) .. string.sub(bytes, 9))
    redis.call('ZREM', due_key, other)
  end
  local first = redis.call('ZRANGE', due_key, 0, 0, 'WITHSCORES')
  next_due = tonumber(first[2]) or math.huge
  redis.call('MSET', service_key, struct.pack('<dd', service_day, service_used), agent_key,
    struct.pack('<dddddddddddddddddd', is_active, balance, held, spent, calls, last_day, day_used, last_week, week_used,
      last_month, month_used, session, session_used, session_at, last_hour, hour_calls, hour_before, next_due))
end

local day = math.floor(now / 86400000)
local week = math.floor((day + 3) / 7)
local hour = math.floor(now / 3600000)
-- The month of a day, by the usual arithmetic of the Gregorian calendar: years begin in March, so that the leap day is the last.
local since_era = day + 719468
local of_era = since_era % 146097
local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
local month = math.floor(since_era / 146097) * 4800 + year * 12 + math.floor((5 * of_year + 2) / 153)
if last_day ~= day then day_used = 0 end
if last_week ~= week then week_used = 0 end
if last_month ~= month then month_used = 0 end
if service_day ~= day then service_used = 0 end
if now - session_at >= session_idle then session, session_used = session + 1, 0 end
-- Calls of the last hour: those of this hour, and of the one before as much as still lies within sixty minutes.
if hour ~= last_hour then
  hour_before = hour == last_hour + 1 and hour_calls or 0
  hour_calls = 0
end

local violations = {'denied'}
local remaining = 9007199254740991
local function unless(kept, code)
  if not kept then violations[#violations + 1] = code end
end
local function within(used, limit, code)
  if used + amount > limit then violations[#violations + 1] = code end
  if limit - used - amount < remaining then remaining = limit - used - amount end
end
unless(is_active == 1, 'AGENT_NOT_ACTIVE')
unless(amount <= max_amount, 'PER_TX_LIMIT')
unless(amount <= max_per_request, 'X402_PRICE_CEILING')
unless(amount <= price_ceiling, 'X402_PRICE_CEILING')
unless(allowed[recipient], 'WHITELIST_VIOLATION')
unless(not blocked[recipient], 'BLOCKED_COUNTERPARTY')
unless(allowed_services[service], 'X402_SERVICE_NOT_ALLOWED')
unless(not blocked_services[service], 'X402_SERVICE_BLOCKED')
within(session_used, session_budget, 'X402_SESSION_BUDGET')
within(day_used, daily, 'DAILY_LIMIT')
within(week_used, weekly, 'WEEKLY_LIMIT')
within(month_used, monthly, 'MONTHLY_LIMIT')
within(service_used, service_daily, 'X402_SERVICE_LIMIT')
unless(hour_calls + hour_before * (1 - now % 3600000 / 3600000) + 1 <= calls_hourly, 'VELOCITY_LIMIT')
within(held + spent, balance, 'INSUFFICIENT_BALANCE')
if #violations > 1 then return violations end

local expires = now + tonumber(ARGV[5])
redis.call('MSET', agent_key,
  struct.pack('<dddddddddddddddddd', is_active, balance, held + amount, spent, calls + 1, day, day_used + amount,
    week, week_used + amount, month, month_used + amount, session, session_used + amount, now,
    hour, hour_calls + 1, hour_before, math.min(next_due, expires + grace)),
  service_key, struct.pack('<dd', day, service_used + amount),
  hold_key, struct.pack('<ddddddddd', OPEN, amount, 0, expires, remaining, day, week, month, session) .. content)
redis.call('ZADD', due_key, expires + grace, id)
return {'approved', expires, remaining}
