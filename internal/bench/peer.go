package bench

import (
	"context"
	"net/http"
	"slices"
)

// Peer is one way to talk to the service, written as the documentation of its library says.
type Peer interface {
	// GetJSON sends GET /v1/items/42?expand=owner&limit=10.
	GetJSON(ctx context.Context) (*Item, error)
	// PostJSON sends POST /v1/items.
	PostJSON(ctx context.Context, in *Item) (*Item, error)
	// Close gives back what the peer holds, as far as its library has a way to.
	Close()
}

// Config is what a peer is made of. Everything else is the default of its library.
type Config struct {
	// BaseURL has no trailing slash.
	BaseURL string
	// Transport carries the requests; nil means the peer's own default.
	Transport http.RoundTripper
	// Retries is how often a 503 is sent again, without delay; 0 means the peer's own default policy.
	Retries int
	// MaxConnsPerHost bounds the connections of the peer's own transport; 0 means its default. Only restconn reads it.
	MaxConnsPerHost int
}

// Spec names a peer and makes it.
type Spec struct {
	Name string
	New  func(Config) (Peer, error)
	// CanRetry says whether the library can retry at all.
	CanRetry bool
	// Bodies says whether the peer is a [BodyPeer], and takes part where bodies are large.
	Bodies bool
	// Only names the scenarios of a variant that is of interest there alone; empty means all scenarios.
	Only []string
}

// Enters reports whether the peer takes part in the scenario.
func (s Spec) Enters(scenario string) bool {
	if scenario == RetryFake && !s.CanRetry {
		return false
	}
	if slices.Contains(bodyScenarios, scenario) && !s.Bodies {
		return false
	}
	return len(s.Only) == 0 || slices.Contains(s.Only, scenario)
}

// Floor is the name of the peer that all others are compared with.
const Floor = "nethttp"

// FloorSync is the floor of downloads: as careful with the file as restconn is.
const FloorSync = "nethttp-sync"

// FloorOf returns the name of the peer that all others are compared with in the scenario.
func FloorOf(scenario string) string {
	if scenario == Download {
		return FloorSync
	}
	return Floor
}

// Specs returns all peers, the floor first. A new peer is one file and one line here.
func Specs() []Spec {
	return []Spec{
		{Name: Floor, New: newNetHTTP, CanRetry: true, Bodies: true},
		{Name: FloorSync, New: newNetHTTPSync, Bodies: true, Only: []string{Download}},
		{Name: "azcore", New: newAzcore, CanRetry: true},
		{Name: "oauth2", New: newOAuth2},
		{Name: "requests", New: newRequests},
		{Name: "resty-v2", New: newRestyV2, CanRetry: true},
		{Name: "resty-v3", New: newRestyV3, CanRetry: true},
		{Name: "retryablehttp", New: newRetryableHTTP, CanRetry: true},
		{Name: "sling", New: newSling},
		{Name: "restconn", New: newRestConn, CanRetry: true, Bodies: true},
		{Name: "restconn-retry", New: newRestConnRetry, Only: []string{GetFake}},
		{Name: "restconn-max128", New: newRestConnMax128, Only: []string{Load}},
	}
}

// Find returns the peer of that name.
func Find(name string) (Spec, bool) {
	for _, spec := range Specs() {
		if spec.Name == name {
			return spec, true
		}
	}
	return Spec{}, false
}

// What every request has. Tenant belongs to the client where the library has headers of the client's own, the other
// headers to the request.
const (
	Token  = "6f1c9d0be5a84d1c97a2b3e4f5061728"
	Tenant = "acme"
	Trace  = "7b3f6f0e-1f0a-4a57-9d5e-0a4d8f6f2c11"

	headerAuthorization = "Authorization"
	headerTenant        = "X-Tenant"
	headerTrace         = "X-Trace"
	mediaJSON           = "application/json"

	itemsPath = "/v1/items"
	itemID    = "42"
	expand    = "owner"
	limit     = "10"
)
