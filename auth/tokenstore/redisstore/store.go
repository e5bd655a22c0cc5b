package redisstore

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// DefaultPrefix is what the names of all keys begin with unless [Prefix] says otherwise.
const DefaultPrefix = "restconn:tok:"

// New returns a store that keeps its tokens in Redis. The client stays the caller's to close.
//
// Nothing is done before the first call; what is wrong with the arguments is told by Validate, which
// [auth.Manager.Validate] calls. The store is safe for concurrent use, by any number of processes. Its errors are
// [*auth.StoreError] and wrap an [*Error] if Redis failed.
//
// A call ends when its context does, even if the client still waits for an answer; that wait is bounded by the client's
// own timeouts, and by the context if the client has ContextTimeoutEnabled. Repetitions by the client are safe.
func New(client redis.UniversalClient, opts ...Option) auth.TokenStore {
	s := &store{client: client, prefix: DefaultPrefix, lease: tokenstore.DefaultLease, scripts: newScripts()}
	for _, opt := range opts {
		if opt == nil {
			s.fault = errNilOption
			continue
		}
		opt.apply(s)
	}
	return tokenstore.Leased(s, tokenstore.Lease(s.lease))
}

// Option is an option of [New].
type Option interface{ apply(s *store) }

// Prefix sets what the names of all keys begin with, [DefaultPrefix] unless it is given. It may hold no braces: the
// hash tag of Redis Cluster is behind it.
func Prefix(prefix string) Option { return prefixOption(prefix) }

type prefixOption string

func (o prefixOption) apply(s *store) { s.prefix = string(o) }

// Lease sets how long a lease lasts, as [tokenstore.Lease] does.
func Lease(d time.Duration) Option { return leaseOption(d) }

type leaseOption time.Duration

func (o leaseOption) apply(s *store) { s.lease = time.Duration(o) }

var (
	errNilOption = errors.New("an option is nil")
	errNilClient = errors.New("the client is nil")
	errPrefix    = errors.New("the prefix holds a brace")
)

// store is the backend.
type store struct {
	client  redis.UniversalClient
	prefix  string
	lease   time.Duration
	fault   error // of the options
	scripts scripts
}

// Validate implements [auth.Validator].
func (s *store) Validate() error {
	faults := []error{s.fault}
	if s.client == nil {
		faults = append(faults, errNilClient)
	}
	if strings.ContainsAny(s.prefix, "{}") {
		faults = append(faults, errPrefix)
	}
	return errors.Join(faults...)
}

// keys returns the names of the record and of its lease, which share a hash tag. What is escaped has neither braces
// nor colons.
func (s *store) keys(key auth.Key) []string {
	record := s.prefix + "{" + url.QueryEscape(key.Connection) + ":" + url.QueryEscape(key.Config) + ":" +
		url.QueryEscape(key.Subject) + "}"
	return []string{record, record + ":lease"}
}
