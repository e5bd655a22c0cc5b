package signing

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/secrets"
)

// Request is one attempt of a request as it will be sent. It is valid while it is being signed, and belongs to one
// goroutine.
type Request struct {
	request *http.Request
	now     time.Time
	nonce   string
	sums    map[Hash][]byte
	faults  []error
	maxBody int64

	timestamp string // as it is sent, see [TimestampField]
}

func newRequest(req *http.Request) (*Request, error) {
	switch {
	case req.URL == nil:
		return nil, errors.New("the request has no URL")
	case req.URL.Opaque != "":
		return nil, errors.New("the URL has no path of its own (Opaque is set), so that what is sent is not known")
	}
	r := &Request{request: req, now: time.Now().UTC()}
	if strings.ContainsFunc(r.Host(), func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '%' }) {
		return nil, errors.New("the host is not ASCII, so that net/http sends another: write it in punycode")
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	return r, checkSpelling(req.Header)
}

// checkSpelling refuses a header whose name is there in two spellings: both are sent, in an order that is not known,
// and one of them would not be covered.
func checkSpelling(h http.Header) error {
	seen := make(map[string]bool, len(h))
	for key := range h {
		name := strings.ToLower(key)
		if seen[name] {
			return fmt.Errorf("the header %s is there in two spellings", http.CanonicalHeaderKey(name))
		}
		seen[name] = true
	}
	return nil
}

// Method returns the method.
func (r *Request) Method() string {
	if r.request.Method == "" {
		return http.MethodGet
	}
	return r.request.Method
}

// Host returns the Host field: the host, and the port if the URL has one.
func (r *Request) Host() string {
	if r.request.Host != "" {
		return r.request.Host
	}
	return r.request.URL.Host
}

// Path returns the path as it is sent, percent-encoded: "/" if it is empty.
func (r *Request) Path() string {
	if path := r.request.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// Query returns the query as it is sent, without the question mark. For a canonical form see [SortQuery].
func (r *Request) Query() string { return r.request.URL.RawQuery }

// Target returns path and query as they are sent, such as "/v1/users?page=2".
func (r *Request) Target() string { return r.request.URL.RequestURI() }

// URL returns the whole URL as it is sent, without a fragment. It begins with the scheme.
func (r *Request) URL() string { return r.request.URL.Scheme + "://" + r.Host() + r.Target() }

// Header returns the value of a header, in any case; several are joined with ", ". It is empty if there is none. Host
// and Content-Length are those that net/http will send.
func (r *Request) Header(name string) string { return strings.Join(r.Values(name), ", ") }

// Values returns the values of a header one by one, like [Request.Header]. They are not to be changed.
func (r *Request) Values(name string) []string {
	canonical := http.CanonicalHeaderKey(name)
	switch canonical {
	case "Host":
		return []string{r.Host()}
	case "Content-Length":
		return r.contentLength()
	}
	_, values := field.Values(r.request.Header, canonical)
	return values
}

// contentLength returns what net/http sends: nothing if the length is not known, and a zero for some methods only.
func (r *Request) contentLength() []string {
	n := r.request.ContentLength
	if n > 0 {
		return []string{strconv.FormatInt(n, 10)}
	}
	if n < 0 || r.hasBody() {
		return nil
	}
	switch r.Method() {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return []string{"0"}
	}
	return nil
}

// Time returns the time of this attempt, in UTC. It is the same whenever it is called.
func (r *Request) Time() time.Time { return r.now }

// Nonce returns 26 random letters and digits, which are at least 128 bits. They are the same whenever it is called, and
// others in each attempt.
func (r *Request) Nonce() string {
	if r.nonce == "" {
		r.nonce = rand.Text()
	}
	return r.nonce
}

// SetHeader sets a header, unless it is there already: what the caller set stays, and so does what was set before. A
// name that cannot carry a credential, such as Host, and a value that is empty or cannot be sent, fail the attempt.
func (r *Request) SetHeader(name, value string) {
	r.put("header", name, auth.APIKey(secrets.Static(value), auth.InHeader(name)))
}

// AddQuery appends a parameter to the query. One that is there already fails the attempt with [auth.ErrParameterSet],
// and so does an empty value.
func (r *Request) AddQuery(name, value string) {
	r.put("query parameter", name, auth.APIKey(secrets.Static(value), auth.InQuery(name)))
}

// put writes to one place by the rules of package auth.
func (r *Request) put(kind, name string, a auth.Authenticator) {
	if err := cause(a.Authenticate(r.request)); err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s %q: %w", kind, name, err))
	}
}
