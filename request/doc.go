// Package request describes, sends and decodes requests on a [connection.Connection].
//
//	user, err := request.Do[User](ctx, request.Get(conn, "/users/{id}").Path("id", id).Query("expand", "team"))
//	full, err := request.Full[User](ctx, request.Post(conn, "/users").JSON(in))
//	err       =  request.Delete(conn, "/users/{id}").Path("id", id).Exec(ctx)
//
// A [Builder] is an immutable value that describes a request; a terminal sends it: [Do] for the decoded body, [Full]
// for the whole response, [Builder.Into], [Builder.Exec], [Builder.Stream], and [Builder.Request] to build only. Every
// terminal reads and closes what it has opened, on every path; only the caller of Stream has a body to close.
//
// # Errors
//
// A status outside 2xx, but for 304, is a [*ResponseError], a body that is not what was asked for a [*DecodeError], and
// all else an [*Error]. Each matches its [Stage], and a ResponseError its [Status]:
//
//	if errors.Is(err, request.Status(404)) { ... }
//	if f, ok := request.ErrorBody[Fault](err); ok { ... }        // the typed body of an error response
//	if errors.Is(err, request.StageSend) { ... }                 // no response came
//	if errors.Is(err, context.DeadlineExceeded) { ... }          // a limit has passed; *connection.TimeoutError names it
//
// No text of an error holds a query, a body or a secret.
package request
