// Package bench measures restconn beside the Go clients that people use today.
//
// Every [Peer] does the same work through the API that its library documents, with the defaults of that library; tests
// prove that all of them put the same request on the wire and decode the same value. The floor is net/http as a careful
// engineer writes it by hand.
//
// # What is measured
//
//   - get_json_fake: GET with a path parameter, two query parameters, three headers, a Bearer credential, and about
//     1 KB of JSON decoded into a struct; through a transport in memory, so that only the client's own work is seen
//   - post_json_fake: POST of the same JSON, the answer decoded; in memory
//   - retry_503_fake: the GET, with two 503s before the 200 and no delay; only peers that can retry; in memory
//   - get_json_fake_jsonv2: the first, everything built with GOEXPERIMENT=jsonv2
//   - get_json_loopback: the GET to a server in another process, one after the other, each peer with its own transport
//   - get_json_loopback_parallel: the same from eight goroutines per CPU, each peer with an equal pool that is large
//     enough
//   - concurrency: 10,000 GETs from 256 goroutines, each peer with its own transport: requests per second, connections
//     that the server saw, latencies, and goroutines left after Close
//   - get_json_5mb: GET of 5 MB of JSON, with a Content-Length, decoded into a slice of structs; by net/http with a
//     json.Decoder
//   - upload_multipart: POST of a form of three fields and a file of 100 MiB on disk; by net/http as a reader of what
//     stands before the file, the file, and what stands behind it, with a length that is known and a GetBody
//   - upload_multipart_retry: the same, where the server reads all of it, answers 503, and takes the second one
//   - download_1gib: GET of 1 GiB into a file on disk; by net/http with os.Create, io.Copy and Close. The floor here is
//     nethttp-sync, which also calls Sync and renames the file, as restconn does: waiting for the disk costs more than
//     all else
//   - gzip_bomb: GET of a JSON document of 1 MB in gzip, which inflates to 1 GiB. Nothing stops net/http with a
//     json.Decoder, so that its bomb is cut to 128 MiB
//   - binary_weight: the size of a stripped program that sends one typed GET with a Bearer credential
//   - token_hot_path: a token that is good and in memory, of 480 bytes, put on a request that has no other header
//   - token_hot_path_par: the same from one goroutine per CPU, each with a request of its own
//   - storm_expired: 1,000 goroutines want a token at once, and the one in memory has ended
//   - storm_expiring: the same with a token that lives for 5 s, of which 1.2 s are left; and right after that, for
//     comparison, with a token that has all of its hour
//   - storm_failing: the same without a token, and the exchange fails
//   - storm_cancel: the same, and whoever has begun the exchange is cancelled meanwhile
//   - storm_waiter: the same, and each has a deadline of 100 ms, while the exchange takes 500 ms
//
// Only restconn and net/http take part from get_json_5mb to gzip_bomb. The first three and token_hot_path are also
// ordinary benchmarks of this package. The command in cmd/compare measures all of them.
//
// # Tokens
//
// From token_hot_path on, a [TokenPeer] keeps the token, and nothing is sent: an exchange is a function that waits as
// long as a server would, 50 ms if nothing else is said. The floor is a token behind a mutex, which is held during the
// exchange, and which is replaced 10 s before its end; x/oauth2 is a ReuseTokenSource, whose margin is the same; azcore
// is its policy for bearer tokens alone, called without the pipeline around it, where it fails for want of a next
// policy, which costs an allocation.
//
// Before a token is put on a request, the header of the time before is removed, by all peers alike: restconn leaves a
// header that is there as it is. That is a part of all figures of the hot path. The row header-only is the removal and
// the writing of a header that is ready, without any token to look after; what a row has above it is the price of the
// token. It is about half of what restconn takes, and most of it is the removal, which other clients do not need. Most
// of the other half is reading the clock, and how long that takes on the machine stands below the table.
//
// In a storm, the time of a caller begins when all of them are let loose, so that it includes waiting for a CPU.
//
// # How it is measured
//
// The command measures each peer right after, or right before, the floor, and repeats that in rounds that go through
// all peers. A ratio is the median of the ratios of these pairs; a figure is the median of its rounds. Allocations and
// bytes are what the whole client process allocates; CPU is its user and system time; the server has a process of its
// own. So has the client of every upload, download and bomb, because the most memory that a process has had cannot be
// set back: its figures are those of one operation, for which a connection is open already.
//
// # Limits
//
// Absolute times belong to one machine on one day: compare ratios and allocation counts, and only those of one run. A
// loopback has no latency and no loss, and its server competes with the client for the same CPUs. All requests go over
// HTTP/1.1 without TLS. The concurrency scenario is a burst on cold pools, which is where defaults differ most. Some
// peers are not quite at their defaults: retryablehttp has its log turned off, resty its warning of tokens over http,
// and azcore its refusal of them. Retries are set in retry_503_fake and upload_multipart_retry alone, unless a peer's
// name says otherwise; elsewhere each peer has the policy it comes with. The heap is looked at every millisecond, so
// that a peak between two looks is missed, and garbage counts until it is collected; the memory that a process has had
// is known on Linux alone. Files lie in the temporary directory, and mostly in the page cache: only what syncs waits
// for the disk.
package bench
