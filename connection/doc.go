// Package connection opens a service once, and from then on owns what lies between a typed request and the wire: the
// credential and the origins that it may be sent to, retries and the replay of bodies, time limits, redirects, limits
// on what is read, logs and errors.
//
//	conn, err := connection.New("https://api.example.com/v1",
//		connection.WithAuth(auth.Basic("svc", secrets.Env("API_PASS"))),
//		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Exponential()}),
//	)
//
// Package request describes and sends requests on it. [Connection.HTTPClient] lends the same policy to generated code
// and other SDKs, and [Connection.Do] sends an *http.Request of your own.
//
// # What holds by default
//
//   - Credentials, the connection's headers and cookies go to the origin of the base URL (scheme, host and port) and to
//     those named by [WithTrustedOrigins]; never over plain http to another machine. A redirect that leaves the origins
//     is followed without them, never with a body, never from https to http, and at most 5 are followed.
//   - Nothing is retried. With [WithRetry], network errors and 5xx are, where the method is idempotent or the server
//     has certainly not seen the request.
//   - An attempt takes at most 60 s, a stream or an upload at most 60 s without a byte. See [Timeouts].
//   - A response body is read into memory up to 32 MiB after decompression. See [WithMaxBody].
//   - Certificates are verified, with the system's roots; TLS 1.2 is the least. HTTP/2 is spoken where the server
//     offers it, and a connection that is dead is found out within 25 s. See [WithTrustedCA],
//     [WithClientCertificate] and [WithHTTPVersion].
//   - The proxy is that of the environment, which is read when the connection is opened; what cannot be read is an
//     error. See [WithProxy].
//   - Nothing is logged. What is logged on request shows headers by allow-list and no queries; bodies
//     only with [WithDebug], with values masked that sound like secrets.
//   - A response of any status is returned as it is: it is package request that makes errors of statuses.
//
// # Pipeline
//
// From the outside in: caller middleware, retry, attempt and its time limit, redirects, rate limit, attempt
// middleware, cookies, authentication, log, transport.
package connection
