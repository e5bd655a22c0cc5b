// Package redisstore keeps tokens in Redis, where several processes share them. It is a module of its own.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	store := redisstore.New(client)
//	m := auth.Manage(grant, auth.KeepIn(store, "payments"))
//
// # What is in Redis
//
// Each [auth.Key] has two keys, in one hash slot, so that Redis Cluster works: a hash with the record, which has no
// expiry, and a string with the owner of the lease, which has one. What changes them is a Lua script, which compares
// the owner and the version where they are. The token is in the field data as the manager wrote it: wrap the store in
// [tokenstore.Sealed] if backups, replicas or MONITOR are seen by others.
//
// # What Redis has to do
//
// Version 5 or later, and an ACL that allows EVALSHA, EVAL, GET, SET, DEL, HSET, HGET, HMGET and PEXPIRE on the keys
// with the prefix.
//
// A token that was lost may be lost for good: the server has replaced its refresh token. So:
//
//   - Persistence is on: appendonly yes. With appendfsync everysec, a crash of the machine can lose the last second;
//     with always, it loses nothing.
//   - No record is evicted: maxmemory-policy noeviction, or one of the volatile policies, which leave keys without an
//     expiry alone. An instance that serves as a cache is the wrong one.
//   - Replication is asynchronous: a failover, by Sentinel or Cluster, can lose what was saved last, and a lease with
//     it, so that two processes renew at once. WAIT is not used, because it does not prevent this either: it makes it
//     rarer. Where a lost token means that a user has to sign in again, and that matters, use a database.
package redisstore
