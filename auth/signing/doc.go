// Package signing signs requests: with a scheme of a provider's own, or with HTTP message signatures (RFC 9421).
//
// [New] signs a list of parts of the request, such as method, path, timestamp and body, and writes the signature to a
// header, a query parameter, a cookie or the password of Basic:
//
//	auth.All(
//		auth.APIKey(secrets.Env("APP_KEY"), auth.InHeader("Appkey")),
//		signing.New(signing.Config{
//			Secret:    secrets.Env("APP_SECRET"),
//			Message:   []signing.Part{signing.Body(), signing.Timestamp()},
//			Timestamp: signing.TimestampField{Header: "Timestamp", Format: signing.UnixMilliseconds},
//			Place:     []auth.PlaceOption{auth.InHeader("Sign")},
//		}),
//	)
//
// [MessageSignature] makes the Signature and Signature-Input headers of RFC 9421. [Func] is for what neither says: a
// function that reads a [Request] and sets headers. [Escape] and [SortQuery] help it to a canonical form.
//
// # What is signed
//
// Each attempt of a request, retries and redirects included, is signed on its own, with the secret, the time and the
// nonce of that attempt, after all other headers are set. Give what a signature covers before it in [auth.All]. What
// net/http adds by itself is not seen: User-Agent and Accept-Encoding, unless they are set on the request. Host and
// Content-Length are seen as they will be sent.
//
// The body is read from its beginning through GetBody, which every body of package request has that can be sent again;
// what is sent is untouched. A body that can be read only once is [ErrBodyOnce]. A digest reads the body piece by
// piece, whatever its length; [Body] holds it in memory, and has a limit.
//
// # The caller's own headers
//
// A header that is already on the request wins. If it is the one of the signature, nothing is signed and nothing else
// is written. If it is that of a timestamp, a nonce or a digest, its value is what is signed.
package signing
