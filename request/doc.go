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
// # Bodies
//
// A [Body] is a factory, so that what is sent again is the same: [JSON], [XML], [Form], [Text], [Bytes], [File],
// [Open], and [Multipart] for forms with files. What can be sent only once says so ([Once]), and is refused where it
// might be needed again. The type that an answer is decoded into says how: see [Do]. Its format is JSON unless a
// [connection.Codec] says otherwise.
//
// # More than one answer
//
// [Pages], [Items] and [ItemsOf] go through lists that come in pages, [Events] and [JSONLines] through answers that
// come bit by bit: all are sequences for a range loop, send nothing before it begins, and clean up when it ends.
// [Download] and [DownloadInto] save an answer as a file.
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
