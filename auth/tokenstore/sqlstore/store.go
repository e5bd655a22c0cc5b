package sqlstore

import (
	"database/sql"
	"errors"
	"regexp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// DefaultTable is the table unless [Table] says otherwise.
const DefaultTable = "restconn_tokens"

// New returns a store that keeps its tokens in db, which stays the caller's to close. The table has to exist, see
// [Migrate]. Options are [Table] and [tokenstore.Lease].
//
// Nothing is done before the first call; what is wrong with the arguments is told by Validate, which
// [auth.Manager.Validate] calls. The store is safe for concurrent use, by any number of processes. Its errors are
// [*auth.StoreError] and wrap an [*Error] if the database failed.
func New(db *sql.DB, dialect Dialect, opts ...tokenstore.Option) auth.TokenStore {
	table, rest := split(opts)
	s := &store{db: db, fault: check(db, dialect, table)}
	if s.fault == nil {
		s.statements = dialect.d.statements(table)
	}
	return tokenstore.Leased(s, rest...)
}

// Table sets the name of the table, [DefaultTable] unless it is given: letters, digits and underscores, at most 48,
// and not a digit first. A schema may stand before it, with a dot: "auth.tokens". The name is used as it is written,
// also where the database would fold its letters.
//
// It is an option of [New] and [Migrate]. Every other store refuses it.
func Table(name string) tokenstore.Option {
	return tableOption{Option: tokenstore.Lease(0), name: name}
}

// tableOption is never applied here. Where it is, the lease that it has in it is too short to be accepted.
type tableOption struct {
	tokenstore.Option

	name string
}

var (
	errNilDB     = errors.New("the database is nil")
	errNoDialect = errors.New("the dialect is not set: use PostgreSQL() or SQLite()")
	errTable     = errors.New("the name of the table is not one that Table accepts")
)

// store is the backend.
type store struct {
	db         *sql.DB
	statements statements
	fault      error
}

// split returns the table that the options name, and those that are not of this package.
func split(opts []tokenstore.Option) (table string, rest []tokenstore.Option) {
	table = DefaultTable
	for _, opt := range opts {
		if t, ok := opt.(tableOption); ok {
			table = t.name
			continue
		}
		rest = append(rest, opt)
	}
	return table, rest
}

// check returns what is wrong with the arguments, all of it.
func check(db *sql.DB, dialect Dialect, table string) error {
	var faults []error
	if db == nil {
		faults = append(faults, errNilDB)
	}
	if dialect.d == nil {
		faults = append(faults, errNoDialect)
	}
	if !validTable(table) {
		faults = append(faults, errTable)
	}
	return errors.Join(faults...)
}

// validTable leaves room for the name of the second table: PostgreSQL cuts off what is longer than 63.
func validTable(name string) bool {
	ok, err := regexp.MatchString(`^([A-Za-z_][A-Za-z0-9_]{0,47}\.)?[A-Za-z_][A-Za-z0-9_]{0,47}$`, name)
	return ok && err == nil
}

// Validate implements [auth.Validator].
func (s *store) Validate() error { return s.fault }
