-- Books what was really paid against a hold.
-- KEYS: agent, hold, report, due.  ARGV: id, amount, whether it is the last report (1 or 0).
-- Returns {"captured", all captures of the hold, whether the hold was over before}.
local agent_key, hold_key, report_key, due_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, amount, is_last = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local OPEN, CAPTURED = 0, 1

local found = redis.call('MGET', agent_key, hold_key, report_key)
if not found[1] or not found[2] then return redis.error_reply('NOT_FOUND there is no such hold') end
local state, hold_amount, captured, expires, remaining, day, week, month, hold_session, rest
  = struct.unpack('<ddddddddd', found[2])
local is_open = state == OPEN
if found[3] then
  if found[3] ~= ARGV[2] then
    return redis.error_reply('IDEMPOTENCY_CONFLICT the report was made for another amount')
  end
  return {'captured', captured, is_open and 0 or 1}
end

-- A hold weighs its amount or what was captured of it, whichever is more, while it is open; then what was captured.
local before = is_open and math.max(hold_amount, captured) or captured
captured = captured + amount
local is_over = is_last or not is_open
local after = is_over and captured or math.max(hold_amount, captured)
local difference = after - before

local is_active, balance, held, spent, calls, last_day, day_used, last_week, week_used, last_month, month_used,
  session, session_used, session_at, last_hour, hour_calls, hour_before, next_due
  = struct.unpack('<dddddddddddddddddd', found[1])
if difference ~= 0 then
  -- What weighs more after the window in which the hold was placed is spent in the current one.
  local service_key = 'service:' .. agent_key .. ':' .. string.match(found[2], ' ([^ ]*)$', rest)
  local service_day, service_used = struct.unpack('<dd', redis.call('GET', service_key))
  if difference > 0 or day == last_day then day_used = day_used + difference end
  if difference > 0 or week == last_week then week_used = week_used + difference end
  if difference > 0 or month == last_month then month_used = month_used + difference end
  if hold_session == session then session_used = session_used + difference end
  if difference > 0 or day == service_day then
    redis.call('SET', service_key, struct.pack('<dd', service_day, service_used + difference))
  end
end
if is_over then
  redis.call('ZREM', due_key, id)
  state = CAPTURED
end
redis.call('MSET', agent_key,
  struct.pack('<dddddddddddddddddd', is_active, balance, held + difference - amount, spent + amount, calls,
    last_day, day_used, last_week, week_used, last_month, month_used, session, session_used, session_at,
    last_hour, hour_calls, hour_before, next_due),
  hold_key, struct.pack('<ddddddddd', state, hold_amount, captured, expires, remaining, day, week, month, hold_session)
    .. string.sub(found[2], rest),
  report_key, ARGV[2])
return {'captured', captured, is_open and 0 or 1}
