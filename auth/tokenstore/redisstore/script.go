package redisstore

import "github.com/redis/go-redis/v9"

// In all scripts, KEYS[1] is the record, KEYS[2] the lease, and ARGV[1] its owner. Versions are texts: a number of Lua
// has only 53 bits.

// acquireScript takes ttl in ms. It returns whether the lease is ours, and the record.
const acquireScript = `
local owner = redis.call('GET', KEYS[2])
local held = 0
if not owner then
	redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
	held = 1
elseif owner == ARGV[1] then
	redis.call('PEXPIRE', KEYS[2], ARGV[2])
	held = 1
end
return {held, redis.call('HMGET', KEYS[1], 'v', 'data', 'inflight', 'retry')}`

// saveScript takes the version seen and v, data, inflight and retry. It returns whether it has saved. A script that is
// repeated because its answer was lost finds its own work, which is no lost lease.
const saveScript = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 0
end
local v = redis.call('HGET', KEYS[1], 'v') or '0'
if v ~= ARGV[2] and (v ~= ARGV[3] or redis.call('HGET', KEYS[1], 'data') ~= ARGV[4]) then
	return 0
end
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'data', ARGV[4], 'inflight', ARGV[5], 'retry', ARGV[6])
return 1`

// releaseScript also removes a record that says nothing.
const releaseScript = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[2])
local rec = redis.call('HMGET', KEYS[1], 'v', 'inflight', 'retry')
if rec[1] == '0' and rec[2] == '0' and rec[3] == '' then
	redis.call('DEL', KEYS[1])
end
return 1`

// scripts are sent by their hash, and in full to a server that does not know them yet.
type scripts struct{ acquire, save, release *redis.Script }

func newScripts() scripts {
	return scripts{
		acquire: redis.NewScript(acquireScript),
		save:    redis.NewScript(saveScript),
		release: redis.NewScript(releaseScript),
	}
}
