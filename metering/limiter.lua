-- Limits in a sliding window, exact, for all buckets of a request at once, in one round trip.
--
-- A bucket counts requests and tokens by slots of time. A slot leaves the window only when all of it is older than the
-- window, so at no moment does any trailing window hold more than was granted by its limit; a slot is 1/300 of the
-- window, so at most that part of a limit stays unused.
--
-- Tokens are held when they are granted and used when they are reported used. A hold is dated where it was granted or
-- last touched, a use where it was reported; both count until they leave the window. So a token counts from its grant
-- until a window after its use, whenever in between it was really spent. Nothing is kept of single requests: the caller
-- brings its last hold along, and a hold that nobody touches any more leaves by itself.
--
-- KEYS    the buckets, then the epoch
-- ARGV    window, slot (ms); "ask", "shadow" or "force"; requests to count, tokens used, tokens to hold;
--         slot and size of the caller's last hold; then for each bucket its limits of requests and tokens, -1 for none
-- returns granted, slot of the new hold, age of the epoch (ms),
--         refusing bucket (0 for none), what it lacks (1 requests, 2 tokens), ms until a retry succeeds (-1 for never),
--         then for each bucket the requests and tokens that count now
--
-- `now` (ms) is set by a line that is put in front of this file.

local window, slot_size, mode = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local requests, used, hold = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local last_slot, last_hold = tonumber(ARGV[7]), tonumber(ARGV[8])
local present = math.floor(now / slot_size)
local slots = math.ceil(window / slot_size)
local oldest = present - slots
local count = #KEYS - 1
local STEP = 50

-- Walks the slots of `kind` from `from` to `to`, some at a time, until `visit(slot, amount)` returns true.
local function walk(key, kind, from, to, visit)
    while from <= to do
        local last = math.min(to, from + STEP - 1)
        local names = {}
        for slot = from, last do names[#names + 1] = kind .. slot end
        local amounts = redis.call('HMGET', key, unpack(names))
        for index, amount in ipairs(amounts) do
            if amount and visit(from + index - 1, tonumber(amount)) then return end
        end
        from = last + 1
    end
end

-- Lets leave what is older than the window; returns what is left of the total.
local function expire(key, kinds, total, head)
    for _, kind in ipairs(kinds) do
        local gone = {}
        walk(key, kind, head, oldest - 1, function(slot, amount)
            total = total - amount
            gone[#gone + 1] = kind .. slot
        end)
        if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    end
    return total
end

-- When enough of `kind` will have left to make room for `lack`, in ms from now; nil when there is not that much of it.
local function room(key, kind, lack)
    local found
    walk(key, kind, oldest, present, function(slot, amount)
        lack = lack - amount
        found = lack <= 0 and slot or nil
        return found
    end)
    return found and (found + slots + 1) * slot_size - now
end

local born = redis.call('GET', KEYS[count + 1])
if not born then
    born = now
    redis.call('SET', KEYS[count + 1], born)
end

local buckets, worst = {}, {index = 0, what = 0, wait = 0}
local function refuse(index, what, wait)
    if worst.wait >= 0 and (wait < 0 or wait > worst.wait) then
        worst = {index = index, what = what, wait = wait}
    end
end

for index = 1, count do
    local key = KEYS[index]
    local kept = redis.call('HMGET', key, 'requests', 'tokens', 'head')
    local bucket = {requests = tonumber(kept[1]) or 0, tokens = tonumber(kept[2]) or 0, taken = 0}
    local head = tonumber(kept[3]) or present
    if head < oldest then
        bucket.requests = expire(key, {'r'}, bucket.requests, head)
        bucket.tokens = expire(key, {'u', 'h'}, bucket.tokens, head)
        redis.call('HSET', key, 'requests', bucket.requests, 'tokens', bucket.tokens, 'head', oldest)
    elseif not kept[3] then
        bucket.is_new = true
    end
    if last_hold > 0 and last_slot >= oldest then
        local held = tonumber(redis.call('HGET', key, 'h' .. last_slot)) or 0
        bucket.taken = math.min(held, last_hold)
    end
    buckets[index] = bucket

    local most_requests, most_tokens = tonumber(ARGV[7 + 2 * index]), tonumber(ARGV[8 + 2 * index])
    if mode ~= 'force' and most_requests >= 0 and requests > 0 then
        local lack = bucket.requests + requests - most_requests
        if requests > most_requests then
            refuse(index, 1, -1)
        elseif lack > 0 then
            refuse(index, 1, room(key, 'r', lack))
        end
    end
    if mode ~= 'force' and most_tokens >= 0 and hold > 0 then
        local lack = bucket.tokens - bucket.taken + used + hold - most_tokens
        if used + hold > most_tokens then
            refuse(index, 2, -1)
        elseif lack > 0 then
            -- What is held may be used as late as now, and then counts for a whole window.
            refuse(index, 2, room(key, 'u', lack) or (present + slots + 1) * slot_size - now)
        end
    end
end

local granted = worst.index == 0 or mode == 'shadow'
local answer = {granted and 1 or 0, present, now - tonumber(born), worst.index, worst.what, worst.wait}
for index, bucket in ipairs(buckets) do
    if granted then
        local key = KEYS[index]
        bucket.requests = bucket.requests + requests
        bucket.tokens = bucket.tokens - bucket.taken + used + hold
        if bucket.taken > 0 then redis.call('HINCRBY', key, 'h' .. last_slot, -bucket.taken) end
        if requests > 0 then redis.call('HINCRBY', key, 'r' .. present, requests) end
        if used > 0 then redis.call('HINCRBY', key, 'u' .. present, used) end
        if hold > 0 then redis.call('HINCRBY', key, 'h' .. present, hold) end
        redis.call('HSET', key, 'requests', bucket.requests, 'tokens', bucket.tokens)
        if bucket.is_new then redis.call('HSET', key, 'head', present) end
        redis.call('PEXPIRE', key, window + 2 * slot_size)
    end
    answer[#answer + 1] = bucket.requests
    answer[#answer + 1] = bucket.tokens
end
return answer
