package sqlstore

import (
	"database/sql"
	"errors"
	"regexp"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// DefaultTable is the table unless [Table] says otherwise.
const DefaultTable = "restconn_tokens"

// New returns a store that keeps its tokens in db, which stays the caller's to close. The table has to exist, see
// [Migrate].
//
// Nothing is done before the first call; what is wrong with the arguments is told by Validate, which
// [auth.Manager.Validate] calls. The store is safe for concurrent use, by any number of processes. Its errors are
// [*auth.StoreError] and wrap an [*Error] if the database failed.
func New(db *sql.DB, dialect Dialect, opts ...Option) auth.TokenStore {
	set := settings{table: DefaultTable, lease: tokenstore.DefaultLease}
	for _, opt := range opts {
		if opt == nil {
			set.fault = errNilOption
			continue
		}
		opt.apply(&set)
	}
	s := &store{db: db, fault: errors.Join(set.fault, check(db, dialect, set.table))}
	if s.fault == nil {
		s.statements = dialect.d.statements(set.table)
	}
	return tokenstore.Leased(s, tokenstore.Lease(set.lease))
}

// Option is an option of [New].
type Option interface{ apply(set *settings) }

// settings are what options set.
type settings struct {
	table string
	lease time.Duration
	fault error
}

// Table sets the name of the table, [DefaultTable] unless it is given: letters, digits and underscores, at most 48,
// and not a digit first. A schema may stand before it, with a dot: "auth.tokens". The name is used as it is written,
// also where the database would fold its letters.
func Table(name string) Option { return tableOption(name) }

type tableOption string

func (o tableOption) apply(set *settings) { set.table = string(o) }

// Lease sets how long a lease lasts, as [tokenstore.Lease] does.
func Lease(d time.Duration) Option { return leaseOption(d) }

type leaseOption time.Duration

func (o leaseOption) apply(set *settings) { set.lease = time.Duration(o) }

var (
	errNilOption = errors.New("an option is nil")
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
