package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNewerSchema says that the table was made by a newer version of this package than the one that runs.
var ErrNewerSchema = errors.New("the schema is newer than this version of sqlstore knows")

// migrations returns what was added to the table, one after the other: the first makes version 1 of an empty database.
// What was released is never changed, and nothing is ever taken away, so that older programs go on working.
func migrations() []string {
	return []string{`CREATE TABLE IF NOT EXISTS {table} (
	id          TEXT    NOT NULL PRIMARY KEY,
	connection  TEXT    NOT NULL,
	config      TEXT    NOT NULL,
	subject     TEXT    NOT NULL,
	version     BIGINT  NOT NULL,
	data        {bytes},
	in_flight   BOOLEAN NOT NULL,
	retry_at    TEXT,
	lease_owner TEXT    NOT NULL,
	lease_until BIGINT  NOT NULL,
	updated_at  BIGINT  NOT NULL
)`}
}

const (
	createMeta = `CREATE TABLE IF NOT EXISTS {schema} (
	id      INTEGER NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL
)`
	// insertMeta is followed by the version.
	insertMeta = `INSERT INTO {schema} (id, version) VALUES (1, %d) ON CONFLICT (id) DO NOTHING`
	lockMeta   = `UPDATE {schema} SET version = version WHERE id = 1`
	readMeta   = `SELECT version FROM {schema} WHERE id = 1`
	writeMeta  = `UPDATE {schema} SET version = %d WHERE id = 1`
)

// Schema returns what [Migrate] does in a database that has no table yet, for those who keep their schema themselves.
// An empty table is [DefaultTable]. It is empty for the zero Dialect.
//
// The times of a row, lease_until and updated_at, are milliseconds since 1970.
func Schema(dialect Dialect, table string) string {
	if dialect.d == nil {
		return ""
	}
	if table == "" {
		table = DefaultTable
	}
	steps := append(migrations(), createMeta, fmt.Sprintf(insertMeta, len(migrations())))
	return dialect.d.filler(table)(strings.Join(steps, ";\n\n") + ";\n")
}

// Migrate makes the table, or adds to it what this version of the package needs. It may be called at every start, by
// any number of processes at once: it does nothing if there is nothing to do. The version is kept in a second table
// with one row, named like the first with "_schema" behind it.
//
// table is the name that [Table] is given; empty for [DefaultTable]. A schema that is newer than this version of the
// package is [ErrNewerSchema], and left as it is. Other errors are [*Error], or tell what is wrong with the arguments.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, table string) error {
	if table == "" {
		table = DefaultTable
	}
	if err := check(db, dialect, table); err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	fill := dialect.d.filler(table)
	err := again(ctx, contested, func() error { return migrate(ctx, db, fill) })
	if err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	return nil
}

// migrate brings the schema up to date in one transaction.
func migrate(ctx context.Context, db *sql.DB, fill func(string) string) error {
	for _, step := range []string{createMeta, fmt.Sprintf(insertMeta, 0)} {
		if _, err := db.ExecContext(ctx, fill(step)); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	// The others wait here until the transaction ends.
	if _, err := tx.ExecContext(ctx, fill(lockMeta)); err != nil {
		return err
	}
	if err := upgrade(ctx, tx, fill); err != nil {
		return err
	}
	return tx.Commit()
}

// upgrade makes the steps that are missing.
func upgrade(ctx context.Context, tx *sql.Tx, fill func(string) string) error {
	steps := migrations()
	var version int
	if err := tx.QueryRowContext(ctx, fill(readMeta)).Scan(&version); err != nil {
		return err
	}
	if version < 0 || version > len(steps) {
		return &newerError{version: version, known: len(steps)}
	}
	if version == len(steps) {
		return nil
	}
	for _, step := range steps[version:] {
		if _, err := tx.ExecContext(ctx, fill(step)); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, fill(fmt.Sprintf(writeMeta, len(steps))))
	return err
}

// contested reports whether a migration failed because another one goes on: CREATE TABLE IF NOT EXISTS is not safe
// against itself in PostgreSQL, and fails on an index of its catalog.
func contested(err error) bool {
	switch code(err) {
	case "23505", "42P07", "42710", "XX000":
		return true
	default:
		return locked(err)
	}
}

// newerError is [ErrNewerSchema] with the versions.
type newerError struct{ version, known int }

// Error implements error.
func (e *newerError) Error() string {
	return ErrNewerSchema.Error() + ": it is " + strconv.Itoa(e.version) + ", known are up to " + strconv.Itoa(e.known)
}

// Is makes it match [ErrNewerSchema].
func (*newerError) Is(target error) bool { return target == ErrNewerSchema }
