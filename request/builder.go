package request

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// Builder describes one request. It is a plain value that never changes: every method returns a new one, so that a
// Builder can be shared, stored and forked. Nothing is checked or sent before a terminal: [Do], [Full], [Builder.Into],
// Exec, Stream, Request, [Download], [DownloadInto], [Pages], [Events] and [JSONLines].
//
// Methods by task:
//
//   - address: [Builder.Path], [Builder.PathSecret], [Builder.Query], [Builder.SetQuery], [Builder.QueryValues]
//   - headers: [Builder.Header], [Builder.Idempotent]
//   - body: [Builder.JSON], [Builder.Form], [Builder.Text], [Builder.Bytes]; [Builder.Body] with any [Body], as
//     [Multipart] and [File] make them; [Builder.UploadProgress]
//   - policy: [Builder.Auth], [Builder.Retry], [Builder.Timeout], [Builder.Timeouts], [Builder.MaxRedirects],
//     [Builder.Debug], [Builder.AllowBody]
//   - what is a success, and how it is decoded: [Builder.ExpectStatus], [Builder.Check], [Builder.Codec]
//
// A Builder prints as its method and path template. It holds what it was given as plain strings all the same, and fmt
// calls no methods of what lies in an unexported field of another struct: a secret belongs into [Builder.Auth] or
// [Builder.PathSecret].
type Builder struct { //nolint:recvcheck // what users call takes a value, what it is made of inside a pointer to that
	conn     *connection.Connection
	method   string
	template string
	literal  *url.URL // asked as it is, in the place of the template and the query
	exact    bool     // the caller has given it
	body     Body
	policy   *policy // nil: the connection's; never changed once it is set

	// The first parameters lie in the Builder itself, the others in more, which is copied on every append.
	count  int
	params [inlineParams]param
	more   []param
}

const inlineParams = 6

type paramKind uint8

const (
	pathParam paramKind = iota
	secretPathParam
	queryParam
	setQueryParam // a queryParam in the place of those of the base URL
	headerParam
)

type param struct {
	kind        paramKind
	name, value string
}

// secretParam is the value of a path parameter that is a secret.
type secretParam struct {
	name  string
	value secrets.Provider
}

// policy is what a request changes in the policy of its connection, and what few requests need.
type policy struct {
	secret       []secretParam
	auth         auth.Authenticator
	authSet      bool
	retry        *connection.Retry
	timeouts     connection.Timeouts
	maxRedirects *int
	debug        *slog.Logger
	debugSet     bool
	insecure     bool
	check        func(resp *http.Response, body []byte) error
	checkSet     bool
	expected     []int
	expectedSet  bool
	codec        *connection.Codec
	progress     func(Progress)
	progressSet  bool
	idempotent   bool
	allowBody    bool
}

// New describes a request of any method. path is a template below the connection's base URL: a {name} in it is filled
// by [Builder.Path], escapes in it are kept, and what follows a ? is the beginning of the query. An absolute URL is
// allowed; outside the connection's origins it is a [*connection.OriginError], unless the request is sent bare with
// Auth(auth.None()).
func New(conn *connection.Connection, method, path string) Builder {
	return Builder{conn: conn, method: method, template: path}
}

// To is [New] for a URL as it stands: there are no names to fill in, braces are braces. It is for
// URLs that others have chosen, such as those of webhooks, which go out bare with Auth(auth.None()). A nil URL is an
// error when the request is sent, and so are [Builder.Path] and [Builder.Query].
func To(conn *connection.Connection, method string, u *url.URL) Builder {
	b := New(conn, method, "/")
	b.exact = true
	if u == nil {
		return b
	}
	own := *u
	own.RawPath = escapeRest(own.RawPath)
	return b.at(&own)
}

// Get describes a GET request.
func Get(conn *connection.Connection, path string) Builder { return New(conn, http.MethodGet, path) }

// Head describes a HEAD request.
func Head(conn *connection.Connection, path string) Builder { return New(conn, http.MethodHead, path) }

// Post describes a POST request.
func Post(conn *connection.Connection, path string) Builder { return New(conn, http.MethodPost, path) }

// Put describes a PUT request.
func Put(conn *connection.Connection, path string) Builder { return New(conn, http.MethodPut, path) }

// Patch describes a PATCH request.
func Patch(conn *connection.Connection, path string) Builder {
	return New(conn, http.MethodPatch, path)
}

// Delete describes a DELETE request.
func Delete(conn *connection.Connection, path string) Builder {
	return New(conn, http.MethodDelete, path)
}

// Options describes an OPTIONS request.
func Options(conn *connection.Connection, path string) Builder {
	return New(conn, http.MethodOptions, path)
}

// String returns the method and the path template, without its query.
func (b Builder) String() string {
	path, _, _ := strings.Cut(b.template, "?")
	if strings.Contains(path, "://") && strings.Contains(path, "@") {
		path = redact.Mask // there may be a password in it
	}
	return b.method + " " + redact.Line(path)
}

// Format writes String for every verb, %#v among them.
func (b Builder) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, b.String()) }

// at makes the builder ask a URL that a server has written, in the place of path and query.
func (b Builder) at(u *url.URL) Builder {
	b.literal = u
	return b
}

func (b Builder) add(p param) Builder {
	if b.count < inlineParams {
		b.params[b.count] = p
	} else {
		b.more = append(slices.Clip(b.more), p)
	}
	b.count++
	return b
}

// with changes a copy of the policy.
func (b Builder) with(change func(p *policy)) Builder {
	p := *b.effective()
	change(&p)
	b.policy = &p
	return b
}

// effective returns the policy, which is not to be changed.
func (b *Builder) effective() *policy {
	if b.policy == nil {
		return new(policy)
	}
	return b.policy
}

// param returns the i-th parameter in the order of the calls.
func (b *Builder) param(i int) *param {
	if i < inlineParams {
		return &b.params[i]
	}
	return &b.more[i-inlineParams]
}

// Path fills {name} in the path template with one escaped segment, or a part of one. An empty value, ".", "..", control
// bytes, a name that the template does not have, and a {name} without value are errors.
func (b Builder) Path(name, value string) Builder {
	return b.add(param{kind: pathParam, name: name, value: value})
}

// PathSecret is [Builder.Path] for a segment that is a secret: errors and logs then show the template in the place of
// the path.
func (b Builder) PathSecret(name string, value secrets.Provider) Builder {
	if value == nil {
		value = secrets.Func(nil)
	}
	return b.add(param{kind: secretPathParam, name: name}).with(func(p *policy) {
		p.secret = append(slices.Clip(p.secret), secretParam{name: name, value: value})
	})
}

// Query adds one pair to the query, after what the path has and in the order of the calls. A name may repeat. Control
// bytes are an error; a value that needs them goes escaped into the query of the path.
func (b Builder) Query(name, value string) Builder {
	return b.add(param{kind: queryParam, name: name, value: value})
}

// SetQuery is [Builder.Query] in the place of all pairs of that name, those of the base URL and of the path among them.
func (b Builder) SetQuery(name, value string) Builder {
	params := make([]param, 0, b.count)
	for i := range b.count {
		if p := b.param(i); !p.isQuery() || p.name != name {
			params = append(params, *p)
		}
	}
	b.template = withoutQuery(b.template, name)
	b.count, b.params, b.more = 0, [inlineParams]param{}, nil
	for _, p := range params {
		b = b.add(p)
	}
	return b.add(param{kind: setQueryParam, name: name, value: value})
}

func (p *param) isQuery() bool { return p.kind == queryParam || p.kind == setQueryParam }

// baseQuery returns the query of the base URL, without what SetQuery has replaced.
func (b *Builder) baseQuery(query string) string {
	for i := 0; i < b.count && query != ""; i++ {
		if p := b.param(i); p.kind == setQueryParam {
			query = withoutPairs(query, p.name)
		}
	}
	return query
}

// withoutQuery returns a path template without the query pairs of that name.
func withoutQuery(template, name string) string {
	path, query, ok := strings.Cut(template, "?")
	if !ok {
		return template
	}
	if query = withoutPairs(query, name); query == "" {
		return path
	}
	return path + "?" + query
}

// withoutPairs returns a query without the pairs of that name.
func withoutPairs(query, name string) string {
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		unescaped, err := url.QueryUnescape(key)
		return err == nil && unescaped == name
	})
	return strings.Join(pairs, "&")
}

// QueryValues adds pairs to the query, sorted by name.
func (b Builder) QueryValues(values url.Values) Builder {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			b = b.Query(name, v)
		}
	}
	return b
}

// Header adds a header. A name may repeat; the first one of a name takes the place of the connection's. A credential
// that is set here wins over the connection's authenticator.
func (b Builder) Header(name, value string) Builder {
	return b.add(param{kind: headerParam, name: name, value: value})
}

// Idempotent gives the request an Idempotency-Key, made anew for each call and the same on every attempt, so that a
// POST or PATCH may be retried by the connection's policy. The service has to know that header.
func (b Builder) Idempotent() Builder {
	return b.with(func(p *policy) { p.idempotent = true })
}

// Body sets the body. nil means that there is none, which is also the default.
func (b Builder) Body(body Body) Builder {
	b.body = body
	return b
}

// JSON sends v as application/json. See [JSON].
func (b Builder) JSON(v any) Builder { return b.Body(JSON(v)) }

// Form sends values as application/x-www-form-urlencoded. See [Form].
func (b Builder) Form(values url.Values) Builder { return b.Body(Form(values)) }

// Text sends s as text/plain; charset=utf-8. See [Text].
func (b Builder) Text(s string) Builder { return b.Body(Text(s)) }

// Bytes sends data as it is. See [Bytes].
func (b Builder) Bytes(contentType string, data []byte) Builder {
	return b.Body(Bytes(contentType, data))
}

// AllowBody lets a GET or HEAD request have a body, which has no meaning in HTTP (RFC 9110, section 9.3.1) but in some
// services.
func (b Builder) AllowBody() Builder {
	return b.with(func(p *policy) { p.allowBody = true })
}

// Auth replaces the connection's authenticator for this request. A nil authenticator is an error.
func (b Builder) Auth(a auth.Authenticator) Builder {
	return b.with(func(p *policy) { p.auth, p.authSet = a, true })
}

// Retry replaces the connection's retry policy whole, and applies whatever the method.
func (b Builder) Retry(r connection.Retry) Builder {
	return b.with(func(p *policy) { p.retry = &r })
}

// Timeout shortens the time of one attempt; 0 leaves it as it is. What is longer than the connection's has no effect:
// for that derive a connection with [connection.WithTimeouts]. See [connection.Timeouts].
func (b Builder) Timeout(d time.Duration) Builder {
	return b.with(func(p *policy) { p.timeouts.Attempt = d })
}

// Timeouts shortens the limits of the connection; it cannot lengthen them. Fields that are 0 stay as they are. Those of
// the pool (Dial, TLSHandshake, ResponseHeader) are a *connection.OptionError.
func (b Builder) Timeouts(t connection.Timeouts) Builder {
	return b.with(func(p *policy) {
		if t.Attempt != 0 {
			p.timeouts.Attempt = t.Attempt
		}
		if t.Total != 0 {
			p.timeouts.Total = t.Total
		}
		if t.Idle != 0 {
			p.timeouts.Idle = t.Idle
		}
		if t.Dial != 0 || t.TLSHandshake != 0 || t.ResponseHeader != 0 { // which the connection refuses
			p.timeouts.Dial, p.timeouts.TLSHandshake, p.timeouts.ResponseHeader = t.Dial, t.TLSHandshake, t.ResponseHeader
		}
	})
}

// MaxRedirects replaces the connection's limit; with 0 a redirect is the response.
func (b Builder) MaxRedirects(n int) Builder {
	return b.with(func(p *policy) { p.maxRedirects = &n })
}

// InsecureSkipVerify accepts any certificate for this request. See [connection.WithInsecureSkipVerify].
func (b Builder) InsecureSkipVerify() Builder {
	return b.with(func(p *policy) { p.insecure = true })
}

// Debug writes one redacted record per attempt of this request, with up to 10 KiB of each body. See
// [connection.WithDebug].
func (b Builder) Debug(l *slog.Logger) Builder {
	return b.with(func(p *policy) { p.debug, p.debugSet = l, true })
}

// ExpectStatus replaces the rule that a response is a success if its status is a 2xx or 304: it is if its status is one
// of these. Their bodies are decoded like any: where "not found" is to mean that there is no value, do not list 404,
// and test for errors.Is(err, [Status](404)). Retries are decided before that, by the connection's policy.
func (b Builder) ExpectStatus(statuses ...int) Builder {
	return b.with(func(p *policy) { p.expected, p.expectedSet = slices.Clone(statuses), true })
}

// Check replaces the rule that a response is a success if its status is a 2xx, for services that answer 200 with an
// error; beside [Builder.ExpectStatus] both decide. An error that f returns becomes the Err of a [*ResponseError]. body
// is nil on a stream; f keeps neither of its arguments.
func (b Builder) Check(f func(resp *http.Response, body []byte) error) Builder {
	return b.with(func(p *policy) { p.check, p.checkSet = f, true })
}

// Codec replaces the codec of the connection for this request: XML, another library for JSON, or a JSON that does not
// say so in its Content-Type.
//
//	b.Codec(request.XMLCodec())
//	b.Codec(connection.Codec{AnyContentType: true})
func (b Builder) Codec(codec connection.Codec) Builder {
	return b.with(func(p *policy) { p.codec = &codec })
}
