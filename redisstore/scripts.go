package redisstore

import "github.com/redis/rueidis"

// headFunction is the beginning of scripts that read a record: head(key) returns the
// first bytes of the record, or "" if there is none. A value that parse would refuse
// counts as none.
const headFunction = `
local function head(key)
  local h = redis.pcall('GETRANGE', key, 0, 213)
  if type(h) == 'table' then
    if string.find(h.err, 'WRONGTYPE', 1, true) then return '' end
    return redis.call('GETRANGE', key, 0, 213)
  end
  if #h < 42 or string.byte(h, 1) ~= 1 or string.sub(h, 2, 9) == string.rep('\0', 8) then return '' end
  if not string.find(string.sub(h, 18, 33), '^%d+$') then return '' end
  local expires, n = 0, string.byte(h, 42)
  for i = 34, 41 do expires = 256 * expires + string.byte(h, i) end
  if expires > 253402300799999 or n > 4 or #h < 42 + 43 * n then return '' end
  return h
end`

// Each script uses one key, so that a cluster can run it. rueidis sends the script's
// hash, and the whole script to a server that does not have it yet.
var (
	// update replaces a record's value and expiry. ARGV: the version it must have, the
	// next version, the expiry as stored and in decimal, the time until which the
	// indexes keep the record or "", the value. It returns 0 if there is no record, 1
	// if it has another version, 2 if it is updated, and the head if the indexes would
	// drop the record before it expires.
	update = rueidis.NewLuaScript(headFunction + `
local h = head(KEYS[1])
if h == '' then return 0 end
if string.sub(h, 2, 9) ~= ARGV[1] then return 1 end
local indexed = string.sub(h, 18, 33)
if ARGV[5] ~= '' and tonumber(ARGV[5]) > tonumber(indexed) then indexed = ARGV[5] end
local n = string.byte(h, 42)
if n > 0 and tonumber(ARGV[4]) > tonumber(indexed) then return h end
redis.call('SET', KEYS[1], string.sub(h, 1, 1) .. ARGV[2] .. string.sub(h, 10, 17) .. indexed .. ARGV[3] ..
  string.sub(h, 42, 42 + 43 * n) .. ARGV[6], 'PXAT', ARGV[4])
return 2`)

	// remove deletes a record and returns its head, or "".
	remove = rueidis.NewLuaScript(headFunction + `
local h = head(KEYS[1])
redis.call('DEL', KEYS[1])
return h`)

	// removeForeign deletes a value that is not a record: the value ARGV[1], or,
	// without an argument, a value of another type.
	removeForeign = rueidis.NewLuaScript(`
local v = redis.pcall('GET', KEYS[1])
if type(v) == 'table' then
  if ARGV[1] or not string.find(v.err, 'WRONGTYPE', 1, true) then return 0 end
elseif v ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])`)

	// removeForeignIndex deletes a value under an index's key that is not an index.
	removeForeignIndex = rueidis.NewLuaScript(`
local v = redis.pcall('ZRANGE', KEYS[1], 0, 0)
if v.err and string.find(v.err, 'WRONGTYPE', 1, true) then return redis.call('DEL', KEYS[1]) end
return 0`)

	// removeIndexed deletes a record if it has the index ARGV[1], and returns the
	// number of records that it deleted.
	removeIndexed = rueidis.NewLuaScript(headFunction + `
local h = head(KEYS[1])
for i = 43, #h - 42, 43 do
  if i < 43 + 43 * string.byte(h, 42) and string.sub(h, i, i + 42) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
  end
end
return 0`)

	// addMember adds a member to an index until ARGV[2], or until a later time if it
	// has one, and removes members whose time has passed. The index expires with its
	// last member. If the key has a value of another type, an index replaces it: it
	// must not prevent the next sign-in.
	addMember = rueidis.NewLuaScript(`
local now = redis.call('TIME')
local milli = now[1] .. string.format('%03d', math.floor(now[2] / 1000))
local dropped = redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', milli)
if type(dropped) == 'table' and dropped.err then
  if not string.find(dropped.err, 'WRONGTYPE', 1, true) then return dropped end
  redis.call('DEL', KEYS[1])
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2])))
return 1`)
)
