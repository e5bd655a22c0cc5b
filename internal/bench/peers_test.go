package bench

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"
)

// TestRequests proves on the wire that all peers send the same request and decode the same value.
func TestRequests(t *testing.T) {
	t.Parallel()
	item := Sample()
	tests := map[string]struct {
		operation Operation
		failures  int
		want      recorded
	}{
		"get": {
			operation: Get,
			want: recorded{
				Method: "GET", Path: "/v1/items/42",
				Query: url.Values{"expand": {"owner"}, "limit": {"10"}},
			},
		},
		"get, 503 twice": {
			operation: Get,
			failures:  FlakyFailures,
			want: recorded{
				Method: "GET", Path: "/v1/items/42",
				Query: url.Values{"expand": {"owner"}, "limit": {"10"}},
			},
		},
		"post": {
			operation: Post,
			want: recorded{
				Method: "POST", Path: "/v1/items", Query: url.Values{},
				ContentType: "application/json", Body: item,
			},
		},
	}
	for name, test := range tests {
		test.want.Authorization = []string{"Bearer " + Token}
		test.want.Accept = []string{"application/json"}
		test.want.Tenant = []string{Tenant}
		test.want.Trace = []string{Trace}
		for _, spec := range Specs() {
			if test.failures > 0 && !spec.CanRetry {
				continue
			}
			t.Run(name+"/"+spec.Name, func(t *testing.T) {
				t.Parallel()
				rec := &recorder{failures: test.failures}
				server := httptest.NewServer(rec)
				defer server.Close()
				peer, err := spec.New(Config{BaseURL: server.URL, Retries: test.failures})
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()

				got, err := test.operation(t.Context(), peer)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, item) {
					t.Errorf("decoded %+v, want %+v", got, item)
				}
				if len(rec.requests) != test.failures+1 {
					t.Errorf("sent %d requests, want %d", len(rec.requests), test.failures+1)
				}
				for i, request := range rec.requests {
					if !reflect.DeepEqual(request, test.want) {
						t.Errorf("request %d is\n%+v, want\n%+v", i, request, test.want)
					}
				}
			})
		}
	}
}

// TestInMemory proves that the fake transports do to every peer what a server does.
func TestInMemory(t *testing.T) {
	t.Parallel()
	want := Sample()
	for _, scenario := range InMemoryScenarios() {
		for _, spec := range Specs() {
			if !spec.Enters(scenario.Name) {
				continue
			}
			t.Run(scenario.Name+"/"+spec.Name, func(t *testing.T) {
				t.Parallel()
				peer, err := spec.New(scenario.Config())
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				for range 3 {
					got, err := scenario.Operation(context.Background(), peer)
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(got, want) {
						t.Errorf("decoded %+v, want %+v", got, want)
					}
				}
			})
		}
	}
}

// TestFailure proves that no peer takes an error for an item.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, spec := range Specs() {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.NotFoundHandler())
			defer server.Close()
			peer, err := spec.New(Config{BaseURL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if _, err := peer.GetJSON(t.Context()); err == nil {
				t.Error("a 404 gave no error")
			}
		})
	}
}

// recorded is what has to be the same in the requests of all peers.
type recorded struct {
	Method, Path  string
	Query         url.Values
	Authorization []string
	Accept        []string
	Tenant        []string
	Trace         []string
	ContentType   string
	Body          *Item
}

// recorder is a server that answers the first requests with 503. Its requests come one after the other.
type recorder struct {
	failures int
	requests []recorded
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	content, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	got := recorded{
		Method:        req.Method,
		Path:          req.URL.Path,
		Query:         req.URL.Query(),
		Authorization: req.Header["Authorization"],
		Accept:        req.Header["Accept"],
		Tenant:        req.Header[headerTenant],
		Trace:         req.Header[headerTrace],
	}
	if len(content) > 0 {
		got.ContentType, _, _ = mime.ParseMediaType(req.Header.Get("Content-Type"))
		got.Body = new(Item)
		if err := json.Unmarshal(content, got.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	r.requests = append(r.requests, got)
	if len(r.requests) <= r.failures {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", mediaJSON)
	_, _ = w.Write(SampleJSON())
}
