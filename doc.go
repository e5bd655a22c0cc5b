// Package restconn is the front page of a library for calling REST services. It declares nothing: the code is in the
// packages named below.
//
// An application opens a connection to a service once, and from then on sends typed requests over it. The library owns
// what lies between: the credential and its life cycle, the origin that it may be sent to, retries and the replay of
// bodies, timeouts, redirects, limits, logs and errors.
//
// # Four ideas
//
//   - A Connection ([github.com/restconn/restconn/connection]) is one service: its address, one policy and one pool. It
//     is immutable and safe for concurrent use. New reports all faults of its options at once.
//   - An Authenticator ([github.com/restconn/restconn/auth]) puts the credentials of one attempt on a request. It is
//     asked only for the origin that the credential belongs to, and again for each retry and redirect. Its secrets
//     ([github.com/restconn/restconn/secrets]) never print.
//   - A Builder ([github.com/restconn/restconn/request]) describes one request. It is a value: it can be stored, shared
//     and forked.
//   - A typed result is what a request is sent for: request.Do decodes into the type that it is given. What went wrong
//     is a typed error, for errors.Is and errors.As: a status, an option, an origin, a timeout, a body that did not
//     decode.
//
// # Start
//
//	conn, err := connection.New("https://api.example.com/v1",
//		connection.WithAuth(auth.Bearer(auth.Static(secrets.Env("API_TOKEN")))),
//		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Exponential()}),
//	)
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//
//	user, err := request.Do[User](ctx, request.Get(conn, "/users/{id}").Path("id", id))
//	if errors.Is(err, request.Status(404)) {
//		return ErrNoSuchUser
//	}
//
// # Further
//
// The directory examples has one program for each job, quickstart first. CONTRIBUTING.md says why things are as they
// are, and CHANGELOG.md what changed. For tests of code that uses this library, see
// [github.com/restconn/restconn/connection/connectiontest].
package restconn
