package restconn_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// mostLines is how long the complete client of the README may be.
const mostLines = 40

// goBlocks returns the Go code of the README.
func goBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) < 2 {
		t.Fatalf("%d Go blocks in README.md", len(blocks))
	}
	return blocks
}

// TestReadmeClient builds the complete client and runs it against a server that fails once.
func TestReadmeClient(t *testing.T) {
	t.Parallel()
	program := goBlocks(t)[0]
	if n := strings.Count(program, "\n"); n > mostLines {
		t.Errorf("the client has %d lines, want at most %d", n, mostLines)
	}
	client := build(t, program)
	var requests, failures atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case req.Header.Get("X-Api-Key") != "key-123":
			w.WriteHeader(http.StatusUnauthorized)
		case failures.Add(1) == 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case req.URL.EscapedPath() == "/v1/users/a%2F1":
			_, _ = w.Write([]byte(`{"name":"Ann","team":"blue"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"code":"gone","detail":"she has left"}`))
		}
	}))
	defer server.Close()
	for id, want := range map[string]string{"a/1": "Ann of blue\n", "b": "no such user: she has left\n"} {
		cmd := exec.CommandContext(t.Context(), client, server.URL+"/v1", id)
		cmd.Env = append(os.Environ(), "API_KEY=key-123")
		if got, err := cmd.CombinedOutput(); err != nil || string(got) != want {
			t.Errorf("client for user %q prints %q (%v), want %q", id, got, err, want)
		}
	}
	if got := requests.Load(); got != 3 {
		t.Errorf("the server received %d requests, want 3: one was answered with 503", got)
	}
}

// build compiles a program as if it stood in this module.
func build(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]map[string]string{"Replace": {filepath.Join(root, "internal", "readme", "main.go"): source}}
	data, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{source: []byte(program), overlay: data} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := filepath.Join(dir, "client.exe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", client, "./internal/readme")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return client
}

// TestReadmeFragments finds every line of the other blocks in the examples, which are compiled and run.
func TestReadmeFragments(t *testing.T) {
	t.Parallel()
	var code []byte
	names := []string{"example_test.go", "example_token_test.go", "example_transport_test.go", "example_signin_test.go"}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, text...)
	}
	for _, block := range goBlocks(t)[1:] {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " // ")
			if line = strings.TrimSpace(line); !strings.Contains(string(code), line) {
				t.Errorf("the line %q of README.md is in none of the examples", line)
			}
		}
	}
}
