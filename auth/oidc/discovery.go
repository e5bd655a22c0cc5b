package oidc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/tokencall"
)

// Faults of metadata, to be matched with [errors.Is].
var (
	// ErrRedirect says that the server redirects. Calls are not sent elsewhere.
	ErrRedirect = tokencall.ErrRedirect

	errMetadataSize = errors.New("the metadata are larger than 256 KiB")
	errIssuer       = errors.New("the issuer is no https URL without user, query and fragment")
)

const mostMetadata = 256 << 10

// DiscoveryError says why there are no metadata. It holds nothing of what the server wrote.
type DiscoveryError struct {
	// URL is where they were asked for; empty if the issuer is none that can be asked.
	URL string
	// Status is the HTTP status; 0 if there was no answer.
	Status int
	// Err is the cause, such as [ErrIssuer].
	Err error
}

// Error implements error.
func (e *DiscoveryError) Error() string {
	text := "oidc: no metadata"
	if e.URL != "" {
		text += " at " + e.URL
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		text += ", which answered " + strconv.Itoa(e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *DiscoveryError) Unwrap() error { return e.Err }

// Discover gets the metadata of an OpenID provider, at /.well-known/openid-configuration behind its issuer (OpenID
// Connect Discovery 1.0, section 4). The issuer is that of the provider, byte for byte: a slash at its end counts. All
// endpoints have to be https, or on this machine. The answer is not kept. Errors are [*DiscoveryError].
//
// Without options the call is sent by http.DefaultTransport. What the options say holds for the calls of the Provider,
// too, see [Provider].Endpoint.
func Discover(ctx context.Context, issuer string, opts ...DiscoverOption) (Provider, error) {
	return discover(ctx, issuer, opts, func(path string) string { return path + "/.well-known/openid-configuration" })
}

// DiscoverOAuth is [Discover] for an authorization server of OAuth 2.0, whose metadata are at
// /.well-known/oauth-authorization-server before the path of the issuer (RFC 8414, section 3).
func DiscoverOAuth(ctx context.Context, issuer string, opts ...DiscoverOption) (Provider, error) {
	place := func(path string) string { return "/.well-known/oauth-authorization-server" + path }
	return discover(ctx, issuer, opts, place)
}

func discover(
	ctx context.Context, issuer string, opts []DiscoverOption, place func(path string) string,
) (Provider, error) {
	e, err := endpointOf(opts)
	if err != nil {
		return Provider{}, &DiscoveryError{Err: err}
	}
	u, err := url.Parse(issuer)
	if err != nil || strings.ContainsAny(issuer, "?#") || callConfig(e).CheckURL(u) != nil {
		return Provider{}, &DiscoveryError{Err: errIssuer}
	}
	path := place(strings.TrimSuffix(u.EscapedPath(), "/"))
	target, err := url.Parse(u.Scheme + "://" + u.Host + path)
	if err != nil {
		return Provider{}, &DiscoveryError{Err: errIssuer}
	}
	fail := func(status int, err error) (Provider, error) {
		return Provider{}, &DiscoveryError{URL: shownURL(target), Status: status, Err: err}
	}
	a, err := sendGet(ctx, e, target, http.Header{"Accept": {"application/json"}})
	switch {
	case a == nil:
		return fail(0, err)
	case err == nil && a.Status != http.StatusOK:
		return fail(a.Status, errors.New("is this the issuer, and does it have metadata there?"))
	case len(a.Body) > mostMetadata, errors.Is(err, tokencall.ErrTooLarge):
		return fail(a.Status, errMetadataSize)
	case err != nil:
		return fail(a.Status, err)
	}
	p, err := readMetadata(a.Body, issuer, callConfig(e))
	if err != nil {
		return fail(a.Status, err)
	}
	p.Endpoint = e
	return p, nil
}

// metadata are the members of a JSON object, and what is wrong with those that were read.
type metadata struct {
	members

	calls  tokencall.Config
	faults []error
}

// readMetadata returns the provider that a document describes, if it is of that issuer.
func readMetadata(text []byte, issuer string, calls tokencall.Config) (Provider, error) {
	values, err := parseMembers(text)
	if err != nil {
		return Provider{}, err
	}
	m := &metadata{members: values, calls: calls}
	if named, _ := m.text("issuer"); named != issuer {
		return Provider{}, fmt.Errorf("%w, or has another slash at its end", ErrIssuer)
	}
	p := m.provider()
	p.Issuer = issuer
	if err := errors.Join(m.faults...); err != nil {
		return Provider{}, err
	}
	return p, nil
}

// provider reads all members but the issuer.
func (m *metadata) provider() Provider {
	p := Provider{
		AuthorizationURL: m.url("authorization_endpoint"), TokenURL: m.url("token_endpoint"),
		JWKSURL: m.url("jwks_uri"), UserInfoURL: m.url("userinfo_endpoint"),
		RevocationURL: m.url("revocation_endpoint"), IntrospectionURL: m.url("introspection_endpoint"),
		DeviceURL: m.url("device_authorization_endpoint"), EndSessionURL: m.url("end_session_endpoint"),
		Algorithms:        m.list("id_token_signing_alg_values_supported"),
		PKCEMethods:       m.list("code_challenge_methods_supported"),
		ClientAuthMethods: m.list("token_endpoint_auth_methods_supported"),
		ResponseTypes:     m.list("response_types_supported"),
		Scopes:            m.list("scopes_supported"),
		AnnouncesIssuer:   m.flag("authorization_response_iss_parameter_supported"),
	}
	const aliases = "mtls_endpoint_aliases"
	if m.absent(aliases) {
		return p
	}
	values, err := parseMembers(m.members[aliases])
	if err != nil {
		m.fault(aliases, err)
		return p
	}
	inner := &metadata{members: values, calls: m.calls}
	p.MTLS = MTLSEndpoints{
		TokenURL: inner.url("token_endpoint"), UserInfoURL: inner.url("userinfo_endpoint"),
		RevocationURL: inner.url("revocation_endpoint"), IntrospectionURL: inner.url("introspection_endpoint"),
		DeviceURL: inner.url("device_authorization_endpoint"),
	}
	m.fault(aliases, errors.Join(inner.faults...))
	return p
}

// absent reports whether a member is missing, null or an empty text.
func (m *metadata) absent(name string) bool { return !m.has(name) || string(m.members[name]) == `""` }

func (m *metadata) fault(name string, err error) {
	if err != nil {
		m.faults = append(m.faults, fmt.Errorf("%s: %w", name, err))
	}
}

// url returns a member that is the URL of an endpoint.
func (m *metadata) url(name string) string {
	if m.absent(name) {
		return ""
	}
	text, _ := m.text(name)
	u, err := parseTarget(text)
	m.fault(name, cmp.Or(err, checkTarget(m.calls, u)))
	return text
}

// checkTarget tells whether a URL, nil for none, can be that of an endpoint.
func checkTarget(calls tokencall.Config, u *url.URL) error {
	if u == nil {
		return nil
	}
	return calls.CheckURL(u)
}

// list returns a member that is an array of texts; nil if there is none.
func (m *metadata) list(name string) []string {
	if m.absent(name) {
		return nil
	}
	var list []string
	if json.Unmarshal(m.members[name], &list) != nil {
		m.fault(name, errors.New("it is not an array of texts"))
	}
	return list
}

// flag returns a member that is true or false; false if there is none.
func (m *metadata) flag(name string) bool {
	switch text := string(m.members[name]); {
	case text == "true":
		return true
	case text != "false" && !m.absent(name):
		m.fault(name, errors.New("it is not true or false"))
	}
	return false
}
