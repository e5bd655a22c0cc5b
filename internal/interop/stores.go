package interop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/auth/tokenstore/redisstore"
	"github.com/restconn/restconn/auth/tokenstore/sqlstore"
	"github.com/restconn/restconn/secrets"
)

// Place is where tokens are kept. A process hands it to its workers as JSON.
type Place struct {
	// Kind is "file", "sqlite", "postgres", "pgbouncer", "redis" or "rediscluster".
	Kind string
	// Address is a path or a URL, whatever the kind takes.
	Address string
	// Space is the table, or the prefix of the keys.
	Space string
	// Lease is that of the store.
	Lease time.Duration
	// Sealed says that the store is behind [tokenstore.Sealed], with a key that everybody may know.
	Sealed bool
}

// Handle is one way to a place, with connections of its own.
type Handle struct {
	auth.TokenStore

	// DB is the pool of an SQL store.
	DB *sql.DB
	// Dialect is that of an SQL store.
	Dialect sqlstore.Dialect

	close func() error
}

// Close closes the connections.
func (h *Handle) Close() error { return h.close() }

// Validate implements [auth.Validator] for the store.
func (h *Handle) Validate() error {
	if v, ok := h.TokenStore.(auth.Validator); ok {
		return v.Validate()
	}
	return nil
}

// sealKey is no secret.
const sealKey = "the key of tests, which everybody may know"

// Open opens a handle. Tables are made if they are missing.
func Open(ctx context.Context, p Place) (*Handle, error) {
	h, err := openPlain(ctx, p)
	if err == nil && p.Sealed {
		h.TokenStore = tokenstore.Sealed(h.TokenStore, secrets.Static(sealKey))
	}
	return h, err
}

// Silence keeps the client of Redis from printing that the server is down, which it does for each connection.
func Silence() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func openPlain(ctx context.Context, p Place) (*Handle, error) {
	switch p.Kind {
	case "file":
		store := tokenstore.NewFile(p.Address, tokenstore.Lease(p.Lease))
		return &Handle{TokenStore: store, close: func() error { return nil }}, nil
	case "sqlite":
		dsn := "file:" + p.Address + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
		return openSQL(ctx, p, "sqlite", dsn, sqlstore.SQLite())
	case "postgres", "pgbouncer":
		return openSQL(ctx, p, "pgx", p.Address, sqlstore.PostgreSQL())
	case "redis":
		opts, err := redis.ParseURL(p.Address)
		if err != nil {
			return nil, errors.New("the URL of Redis is malformed")
		}
		opts.ContextTimeoutEnabled = true
		return openRedis(p, redis.NewClient(opts)), nil
	case "rediscluster":
		opts, err := redis.ParseClusterURL(p.Address)
		if err != nil {
			return nil, errors.New("the URL of Redis is malformed")
		}
		opts.ContextTimeoutEnabled = true
		return openRedis(p, redis.NewClusterClient(opts)), nil
	default:
		return nil, fmt.Errorf("there is no store %q", p.Kind)
	}
}

func openSQL(ctx context.Context, p Place, driver, dsn string, dialect sqlstore.Dialect) (*Handle, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, errors.New("the address of the database is malformed")
	}
	if err := sqlstore.Migrate(ctx, db, dialect, p.Space); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Handle{
		TokenStore: sqlstore.New(db, dialect, sqlstore.Table(p.Space), sqlstore.Lease(p.Lease)),
		DB:         db, Dialect: dialect, close: db.Close,
	}, nil
}

func openRedis(p Place, client redis.UniversalClient) *Handle {
	store := redisstore.New(client, redisstore.Prefix(p.Space+":"), redisstore.Lease(p.Lease))
	return &Handle{TokenStore: store, close: client.Close}
}
