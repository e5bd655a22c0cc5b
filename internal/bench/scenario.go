package bench

import (
	"context"
	"net/http"
)

// The names of the scenarios.
const (
	GetFake       = "get_json_fake"
	GetFakeJSONv2 = "get_json_fake_jsonv2"
	PostFake      = "post_json_fake"
	RetryFake     = "retry_503_fake"
	GetLoopback   = "get_json_loopback"
	GetParallel   = "get_json_loopback_parallel"
	Load          = "concurrency"
	GetLarge      = "get_json_5mb"
	Upload        = "upload_multipart"
	UploadRetry   = "upload_multipart_retry"
	Download      = "download_1gib"
	GzipBomb      = "gzip_bomb"
	Weight        = "binary_weight"

	TokenHot         = "token_hot_path"
	TokenHotParallel = "token_hot_path_par"

	StormValid    = "storm_valid"
	StormExpired  = "storm_expired"
	StormExpiring = "storm_expiring"
	StormFailing  = "storm_failing"
	StormCancel   = "storm_cancel"
	StormWaiter   = "storm_waiter"
)

// bodyScenarios are those of a [BodyPeer].
var bodyScenarios = []string{GetLarge, Upload, UploadRetry, Download, GzipBomb}

// Operation is one call of a scenario.
type Operation func(ctx context.Context, p Peer) (*Item, error)

// Get is the operation of the GET scenarios.
func Get(ctx context.Context, p Peer) (*Item, error) { return p.GetJSON(ctx) }

// Post is the operation of the POST scenario.
func Post(ctx context.Context, p Peer) (*Item, error) { return p.PostJSON(ctx, sampleItem) }

var sampleItem = Sample()

// InMemory is a scenario without a network.
type InMemory struct {
	Name      string
	Operation Operation
	transport func() http.RoundTripper
	retries   int
}

// InMemoryScenarios returns the scenarios without a network.
func InMemoryScenarios() []InMemory {
	fake := func() http.RoundTripper { return Fake{} }
	flaky := func() http.RoundTripper { return new(FlakyFake) }
	return []InMemory{
		{Name: GetFake, Operation: Get, transport: fake},
		{Name: PostFake, Operation: Post, transport: fake},
		{Name: RetryFake, Operation: Get, transport: flaky, retries: FlakyFailures},
	}
}

// Config returns the configuration of a peer in this scenario, with a transport of its own.
func (s InMemory) Config() Config {
	return Config{BaseURL: FakeURL, Transport: s.transport(), Retries: s.retries}
}
