// Package connectiontest helps to test code that talks to REST services: it has servers that live in memory, scripted
// and faulty answers, and a record of the requests, byte for byte.
//
// A [Network] has servers for any origin a test asks for, https with a certificate that the network's clients trust
// among them. Between client and server is the real net/http, HTTP/1.1 or HTTP/2, over connections in memory that
// behave like TCP; no port is taken, and nothing leaves the process:
//
//	srv := connectiontest.NewServer(t, connectiontest.JSON(200, user))      // https://api.example.test
//	conn, err := connection.New(srv.URL, srv.Network().Option())
//	...
//	got := srv.Requests()[0]                                                // method, header, body, raw bytes
//
// For other clients there are [Network.Transport] and [Network.Dial].
//
// # Answers
//
// A server takes any [http.Handler]. [JSON], [Text] and [Status] make fixed answers, which [Reply.Header] and
// [Reply.Delay] amend; [Sequence] answers one request after the other; [Script] also checks that the requests are
// the ones expected, and that all of them come. [Cut] breaks the connection, and [Network.ServeRaw] answers with any
// bytes.
//
// # Faults
//
// [Server.Refuse], [Server.Hang] and [Server.Down] make a server unreachable, each in its own way, and [Server.Up]
// makes it well again. [Network.ServeTLS] shows the wrong certificate, or asks for the client's.
//
// # Time
//
// A network that is made inside a testing/synctest bubble works on the bubble's clock: a timeout of an hour, or a
// server that sleeps for thirty seconds, takes no time at all. The certificates are valid on that clock, too.
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := connectiontest.NewServer(t, connectiontest.Status(200).Delay(time.Hour))
//		...
//	})
package connectiontest
