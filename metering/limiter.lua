-- Limits in a sliding window, exact, for all buckets of a request at once, in one round trip.
--
-- A request counts from the moment it is granted until it is as old as the window: its bucket keeps a list of moments,
-- in milliseconds. Tokens are held when they are granted and used when they are reported used; both count. A use is dated
-- when it is reported and leaves a window later, a hold where it was granted or last touched. So a token counts from its
-- grant until a window after its use, whenever in between it was really spent, and no trailing window ever has more than
-- the limit. Nothing is kept of single requests: the caller brings its last hold along, and a hold that nobody touches
-- any more leaves by itself.
--
-- KEYS    the buckets, then the epoch
-- ARGV    window (ms), slot of holds (ms); "ask", "shadow" or "force"; requests to count, tokens used, tokens to hold;
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
local cell = window / 3000
local count = #KEYS - 1
local STEP = 50

-- An entry of a list is a moment, and how much of it there is unless it is one.
local function read(entry)
    local at = tonumber(entry)
    if at then return at, 1 end
    local moment, amount = string.match(entry, '^(%d+),(%d+)$')
    return tonumber(moment), tonumber(amount)
end

-- Lets leave what is as old as the window; returns what is left of the total.
local function expire(list, total)
    while true do
        local first = redis.call('LINDEX', list, 0)
        -- A list to which nothing was added for a window leaves as a whole, and may do so before its bucket.
        if not first then return 0 end
        if read(first) > now - window then return total end
        local gone = 0
        for _, entry in ipairs(redis.call('LRANGE', list, 0, STEP - 1)) do
            local at, amount = read(entry)
            if at > now - window then break end
            total, gone = total - amount, gone + 1
        end
        redis.call('LTRIM', list, gone, -1)
    end
end

-- When enough will have left to make room for `lack`, in ms from now; nil when there is not that much of it.
local function room(list, lack)
    local from = 0
    while true do
        local entries = redis.call('LRANGE', list, from, from + STEP - 1)
        if #entries == 0 then return nil end
        for _, entry in ipairs(entries) do
            local at, amount = read(entry)
            lack = lack - amount
            if lack <= 0 then return at + window - now end
        end
        from = from + STEP
    end
end

-- Dates an amount now. What came in the same cell of time is one entry, dated by its last, which can only be too late:
-- so lists stay short. Cells are fixed: an entry that moved on with each addition would never leave. A clock that was
-- set back dates by the entry before, so that entries stay in order.
local function add(list, amount, size)
    local last = redis.call('LINDEX', list, -1)
    local at, before = 0, 0
    if last then at, before = read(last) end
    if last and math.floor(at / size) >= math.floor(now / size) then
        redis.call('LSET', list, -1, string.format('%.0f,%.0f', math.max(at, now), before + amount))
    elseif amount == 1 then
        redis.call('RPUSH', list, string.format('%.0f', now))
    else
        redis.call('RPUSH', list, string.format('%.0f,%.0f', now, amount))
    end
    redis.call('PEXPIRE', list, window + 2 * slot_size)
end

-- Holds are kept by slots, because they are taken back by them; those from `head` on that are too old leave.
local function expire_holds(key, total, head)
    while head < oldest do
        local last = math.min(oldest - 1, head + STEP - 1)
        local names, gone = {}, {}
        for slot = head, last do names[#names + 1] = 'h' .. slot end
        for index, amount in ipairs(redis.call('HMGET', key, unpack(names))) do
            if amount then
                total = total - tonumber(amount)
                gone[#gone + 1] = names[index]
            end
        end
        if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
        head = last + 1
    end
    return total
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
    local bucket = {most_requests = tonumber(ARGV[7 + 2 * index]), most_tokens = tonumber(ARGV[8 + 2 * index])}
    bucket.requests, bucket.used, bucket.held, bucket.taken = 0, 0, 0, 0
    local kept = redis.call('HMGET', key, 'requests', 'used', 'held', 'head')
    if kept[4] then
        bucket.requests, bucket.used, bucket.held = tonumber(kept[1]), tonumber(kept[2]), tonumber(kept[3])
        local head = tonumber(kept[4])
        if bucket.requests > 0 then bucket.requests = expire(key .. ':r', bucket.requests) end
        if bucket.used > 0 then bucket.used = expire(key .. ':u', bucket.used) end
        if bucket.held > 0 then bucket.held = expire_holds(key, bucket.held, head) end
        if last_hold > 0 and last_slot >= oldest then
            bucket.taken = math.min(last_hold, tonumber(redis.call('HGET', key, 'h' .. last_slot)) or 0)
        end
    end
    buckets[index] = bucket

    if mode ~= 'force' and bucket.most_requests >= 0 and requests > 0 then
        local lack = bucket.requests + requests - bucket.most_requests
        if requests > bucket.most_requests then
            refuse(index, 1, -1)
        elseif lack > 0 then
            refuse(index, 1, room(key .. ':r', lack))
        end
    end
    if mode ~= 'force' and bucket.most_tokens >= 0 and hold > 0 then
        local lack = bucket.used + bucket.held - bucket.taken + used + hold - bucket.most_tokens
        if used + hold > bucket.most_tokens then
            refuse(index, 2, -1)
        elseif lack > 0 then
            -- What is held is used now and counts for a window, or is never touched again and leaves with its slot.
            refuse(index, 2, room(key .. ':u', lack) or (slots + 1) * slot_size)
        end
    end
end

local granted = worst.index == 0 or mode == 'shadow'
local answer = {granted and 1 or 0, present, now - tonumber(born), worst.index, worst.what, worst.wait}
for index, bucket in ipairs(buckets) do
    local key = KEYS[index]
    if granted then
        if bucket.taken > 0 and redis.call('HINCRBY', key, 'h' .. last_slot, -bucket.taken) == 0 then
            redis.call('HDEL', key, 'h' .. last_slot)
        end
        if requests > 0 and (bucket.most_requests >= 0 or mode == 'force') then
            add(key .. ':r', requests, 1)
            bucket.requests = bucket.requests + requests
        end
        if used > 0 then
            add(key .. ':u', used, cell)
            bucket.used = bucket.used + used
        end
        if hold > 0 then redis.call('HINCRBY', key, 'h' .. present, hold) end
        bucket.held = bucket.held - bucket.taken + hold
    end
    redis.call('HSET', key, 'requests', bucket.requests, 'used', bucket.used, 'held', bucket.held, 'head', oldest)
    redis.call('PEXPIRE', key, window + 2 * slot_size)
    answer[#answer + 1] = bucket.requests
    answer[#answer + 1] = bucket.used + bucket.held
end
return answer
