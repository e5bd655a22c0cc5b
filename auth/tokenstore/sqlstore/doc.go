// Package sqlstore keeps tokens in a table of PostgreSQL or SQLite, where several processes share them.
//
//	err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL(), sqlstore.DefaultTable)
//	store := sqlstore.New(db, sqlstore.PostgreSQL())
//	m := auth.Manage(grant, auth.KeepIn(store, "payments"))
//
// It needs no driver of its own: db is opened with whichever the program has.
//
// # What is in the table
//
// There is one row for each [auth.Key]. Its id is a hash of the key; connection, config and subject are there for
// people to read, and may be shortened. The column data is the token as the manager wrote it: wrap the store in
// [tokenstore.Sealed] if backups, replicas or statement logs of the database are read by others. A lease is two columns
// of the same row, on the clock of the database.
//
// # What the database has to do
//
// The pool writes, so it is one of the primary server. A commit has to last: with synchronous_commit off (PostgreSQL),
// or a failover to a replica that is behind, the last token can be lost, and with it the refresh token that the server
// has already replaced.
//
// No connection is held between two statements, none while a token is renewed, and no statement relies on the session,
// so that PgBouncer may pool transactions. Statements that the driver prepares by itself may have to be turned off for
// it; for pgx that is default_query_exec_mode=exec.
//
// For SQLite, which has to be 3.35 or later, set a busy_timeout and, for several processes, journal_mode=WAL. A file on
// a network disk is not safe: its locks are not.
package sqlstore
