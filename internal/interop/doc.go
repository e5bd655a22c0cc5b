// Package interop holds what is tested against real servers. As stores: PostgreSQL, with and without PgBouncer before
// it, Redis, with and without cluster mode, SQLite, and files. For transport: the web servers nginx and Apache, the
// proxies Squid, Tinyproxy and microsocks, and keystores by openssl and keytool. For tokens and users who sign in: the
// certified OpenID provider oidc-provider, oauth2-mock-server, and Chromium.
//
//	go test ./...                       # SQLite, files, and the servers that the environment names
//	RESTCONN_INTEROP=1 go test -v ./... # all: what is not named is started on loopback, and installed if need be
//
// The environment names stores by these variables; the others are always started here:
//
//	RESTCONN_TEST_POSTGRES=postgres://user:password@host/database
//	RESTCONN_TEST_PGBOUNCER=postgres://user:password@host:6432/database?default_query_exec_mode=simple_protocol
//	RESTCONN_TEST_REDIS=redis://:password@host:6379/0
//	RESTCONN_TEST_REDISCLUSTER=redis://:password@host:6379
//
// The two authorization servers run on Node.js. They, their packages and Node.js itself come from the npm registry, as
// servers/node/package-lock.json has them, into a directory that goes away with them. Users sign in
// with a browser that knows forms and nothing else, or with Chromium.
//
// Each test uses tables and keys of its own names, and removes the tables.
package interop
