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
//   - binary_weight: the size of a stripped program that sends one typed GET with a Bearer credential
//
// The first three are also ordinary benchmarks of this package. The command in cmd/compare measures all of them.
//
// # How it is measured
//
// The command measures each peer right after, or right before, the floor, and repeats that in rounds that go through
// all peers. A ratio is the median of the ratios of these pairs; a figure is the median of its rounds. Allocations and
// bytes are what the whole client process allocates; CPU is its user and system time; the server has a process of its
// own.
//
// # Limits
//
// Absolute times belong to one machine on one day: compare ratios and allocation counts, and only those of one run. A
// loopback has no latency and no loss, and its server competes with the client for the same CPUs. All requests go over
// HTTP/1.1 without TLS. The concurrency scenario is a burst on cold pools, which is where defaults differ most. Some
// peers are not quite at their defaults: retryablehttp has its log turned off, resty its warning of tokens over http,
// and azcore its refusal of them. Retries are set in retry_503_fake alone, unless a peer's name says otherwise;
// elsewhere each peer has the policy it comes with.
package bench
