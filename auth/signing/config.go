package signing

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Config describes a scheme for [New].
type Config struct {
	// Secret is what is signed with. It is asked for once per attempt. An empty one is [auth.ErrNoCredential]. Required.
	Secret secrets.Provider
	// Algorithm makes the signature. The default is HMAC(SHA256).
	Algorithm Algorithm
	// Message is what is signed: the parts in their order, with Separator between them. Required.
	Message []Part
	// Separator is empty by default.
	Separator string
	// Encoding makes text of the signature. The default is Hex.
	Encoding Encoding

	// Template is what is written in the place of the bare signature. It has {signature} once or more, and may have
	// {timestamp} and {nonce}, such as "id=app-1,ts={timestamp},sig={signature}".
	Template string
	// Place is where the signature goes, in the words of package auth and as auth.APIKey takes them:
	// auth.InHeader("X-Signature"), or auth.Prefix("HMAC") for "Authorization: HMAC SIGNATURE". Required, unless User is
	// given.
	Place []auth.PlaceOption
	// User makes the signature the password of that user in Basic. It takes the place of Place.
	User secrets.Provider

	// Timestamp says how the time of the attempt is sent.
	Timestamp TimestampField
	// Nonce says how a text that is new in each attempt is sent.
	Nonce NonceField
	// Digest is a header with a hash of the body that is written before the request is signed. The default is none.
	Digest Digest
	// MaxBody is the most bytes of a body that [Body] signs. The default is [DefaultMaxBody]. A longer one is
	// [ErrBodyTooLong]. Digests have no limit.
	MaxBody int64
}

// TimestampField says how a timestamp is sent: in a header, in a query parameter, or in [Config].Template only.
type TimestampField struct {
	Header string
	Query  string
	Format TimeFormat
}

// NonceField says how a nonce is sent: in a header, in a query parameter, or in [Config].Template only.
type NonceField struct {
	Header string
	Query  string
	// New makes a nonce. It is safe for concurrent use. The default makes 26 random letters and digits.
	New func() string
}

// TimeFormat says how a time is written. The zero TimeFormat is UnixSeconds. All but the constants here are layouts of
// [time.Time.Format], in UTC: "20060102T150405Z".
type TimeFormat string

const (
	// UnixSeconds is the seconds since 1970.
	UnixSeconds TimeFormat = ""
	// UnixMilliseconds is the milliseconds since 1970.
	UnixMilliseconds TimeFormat = "unix-ms"
	// RFC3339 is such as "2026-01-02T03:04:05Z".
	RFC3339 TimeFormat = time.RFC3339
	// HTTPDate is such as "Fri, 02 Jan 2026 03:04:05 GMT" (RFC 9110, section 5.6.7).
	HTTPDate TimeFormat = http.TimeFormat
)

func (f TimeFormat) format(t time.Time) string {
	switch f {
	case UnixSeconds:
		return strconv.FormatInt(t.Unix(), 10)
	case UnixMilliseconds:
		return strconv.FormatInt(t.UnixMilli(), 10)
	default:
		return t.UTC().Format(string(f))
	}
}

// New returns an Authenticator that signs each attempt of a request. What is wrong with cfg, [auth.Validate] tells, all
// of it at once.
//
// In this order, it writes the digest, the timestamp and the nonce, makes the message, and writes the signature. A
// header of the caller wins: see the doc of the package. A timestamp or a nonce in the query that is there already is
// [auth.ErrParameterSet].
//
// It is safe for concurrent use. Errors are [*auth.Error] with scheme "signing".
func New(cfg Config) auth.Authenticator {
	s := newScheme(cfg)
	return &signer{
		description: fmt.Sprintf("Signature (%v) in %s", s.cfg.Algorithm, s.where()),
		faults:      s.validate(),
		sign:        s.sign,
	}
}

// where describes the place of the signature.
func (s *scheme) where() string {
	if s.cfg.User != nil {
		return "the password of Basic"
	}
	return strings.TrimPrefix(fmt.Sprint(s.placer(secrets.Value{})), "API key in ")
}
