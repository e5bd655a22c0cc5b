package connection

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/origin"
)

// config is what the options have set.
type config struct {
	auth              auth.Authenticator
	header            http.Header
	fields            []fieldLine // header, as the requests get it
	retry             Retry
	budget            *budget // shared with the connection that this one is derived from
	timeouts          Timeouts
	maxRedirects      int
	trusted           []origin.Origin
	insecureHTTP      bool
	logger, debug     *slog.Logger
	middleware        []Middleware
	attemptMiddleware []Middleware
	maxBody           int64
	codec             Codec
	pool              poolConfig
	runtime           *Runtime // nil if there is none
	runtimeName       string
	insecureTLS       bool
	transport         http.RoundTripper
	transportBy       string // the option that has set it
	jar               http.CookieJar
	hosts             *hostBuckets // nil without a rate limit
	baseParams        BaseParamsFunc
	baseHosts         []hostPattern

	name, description, docsURL, testPath string

	// derived says that the connection shares the transport of another.
	derived bool
}

const (
	defaultUserAgent    = "restconn"
	defaultMaxRedirects = 5
	defaultMaxBody      = 32 << 20
)

func defaults() config {
	return config{
		auth:         auth.None(),
		header:       http.Header{"User-Agent": {defaultUserAgent}},
		retry:        NoRetry().withDefaults(),
		budget:       newBudget(RetryBudget{}),
		timeouts:     defaultTimeouts(),
		pool:         poolConfig{version: HTTP2Preferred, reload: defaultReload},
		maxRedirects: defaultMaxRedirects,
		maxBody:      defaultMaxBody,
	}
}

// clone returns a copy that shares nothing that an option appends to.
func (cfg *config) clone() config {
	c := *cfg
	c.header = cfg.header.Clone()
	c.trusted = slices.Clone(cfg.trusted)
	c.baseHosts = slices.Clone(cfg.baseHosts)
	c.middleware = slices.Clone(cfg.middleware)
	c.attemptMiddleware = slices.Clone(cfg.attemptMiddleware)
	c.pool.authorities, c.pool.pins = slices.Clip(c.pool.authorities), slices.Clip(c.pool.pins)
	c.pool.given = slices.Clip(c.pool.given)
	return c
}

// apply applies all options, and joins the errors of those that are wrong.
func (cfg *config) apply(options []Option) error {
	var errs []error
	for _, o := range options {
		if o == nil {
			errs = append(errs, &OptionError{Option: "option", Err: errors.New("it is nil")})
			continue
		}
		err := o.apply(cfg)
		if err != nil && !as[*OptionError](err) {
			err = &OptionError{Option: o.String(), Err: err}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// fixed is the error of an option that a derived connection cannot change.
func (cfg *config) fixed() error {
	if cfg.derived {
		return errors.New("a derived connection shares the pool it comes from: use New")
	}
	return nil
}

// ofPool notes that an option concerns how connections are made. It is an error on a derived connection.
func (cfg *config) ofPool(name string) error {
	cfg.pool.given = append(cfg.pool.given, name)
	return cfg.fixed()
}

// log returns where the connection writes to, which may be nowhere.
func (cfg *config) log() *slog.Logger {
	if l := cmp.Or(cfg.logger, cfg.debug); l != nil {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

// fieldLine is one header of every request. Its values are shared by all: an append to them copies.
type fieldLine struct {
	name   string
	values []string
}

// seal makes the header ready to be shared by all requests.
func (cfg *config) seal() {
	cfg.fields = nil
	for _, name := range slices.Sorted(maps.Keys(cfg.header)) {
		cfg.fields = append(cfg.fields, fieldLine{name: name, values: slices.Clip(cfg.header[name])})
	}
}
