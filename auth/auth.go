package auth

import (
	"log/slog"
	"net/http"
)

// Authenticator puts the credentials of one attempt on a request.
//
// Authenticate is called once per attempt and redirect hop, on a request that is private to that attempt and whose
// context is the caller's. It may set headers and change the query, req.URL.RawQuery (the URL is private too), and
// leaves the body alone. A connection does not send a request whose method, or scheme, host or path of the URL, it
// has changed. It is never called for a foreign origin. A header that is already there was set by the caller, and
// wins. Implementations are safe for concurrent use, and their errors hold no secret.
//
// What an Authenticator can do beyond that, it says through the optional interfaces [Challenger], [Validator] and
// [Binder]. They are found through wrappers that have an Unwrap() Authenticator or Unwrap() []Authenticator method.
type Authenticator interface {
	Authenticate(req *http.Request) error
}

// Challenger is an Authenticator that learns from a rejection, such as a 401 (RFC 9110, section 11.6.1).
type Challenger interface {
	// Challenged is called with every answer of status 400 and above. req is the request as it was sent, with the
	// rejected credential on it; resp.Body is not to be read. It reports whether the request is worth sending once
	// more after another Authenticate. The second answer is final, and a resend does not count as a retry. If the
	// second Authenticate makes the same request again, it is not sent.
	//
	// An error ends the call in place of the answer. A credential that cannot be renewed is no error: the answer
	// itself says more.
	Challenged(req *http.Request, resp *http.Response) (resend bool, err error)
}

// Validator is an Authenticator that knows at once when it was given nonsense: constructors return values, and this
// is where their errors go. connection.New calls it.
type Validator interface {
	Validate() error
}

// Binder is an Authenticator that needs something of its connection: a client for token calls, a logger, a key.
type Binder interface {
	// Bind returns a copy that is bound to the host. It may share state with the receiver, so that one credential
	// serves several connections. If the copy is an io.Closer, Connection.Close closes it.
	Bind(host Host) (Authenticator, error)
}

// Host is what a connection hands to a [Binder].
type Host struct {
	// Client sends token calls: it has the connection's trust and client certificate and its proxy for such calls,
	// follows no redirects, and adds no credentials.
	Client *http.Client
	// Logger is never nil.
	Logger *slog.Logger
	// Connection is the name of the connection, or else its base URL.
	Connection string
	// Call says that the binding is for one call: what it starts in the background may go on after it is closed.
	Call bool
}
