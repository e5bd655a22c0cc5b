package request_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

const (
	mebibyte     = 1 << 20
	defaultLimit = 32 * mebibyte
)

// bomb is a gzip of about 1 MB that inflates to so many MiB of zeros.
func bomb(size int) []byte {
	return bytes.Repeat([]byte(gzipped(strings.Repeat("\x00", mebibyte))), size)
}

// bombs answers with a bomb whatever it is asked: as a success, an error, or a redirect to /small.
func bombs(size int) http.Handler {
	body := bomb(size)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.URL.Path == "/small" {
			_, _ = io.WriteString(w, `{"id":1}`)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		switch req.URL.Path {
		case "/error":
			w.WriteHeader(http.StatusBadGateway)
		case "/moved":
			w.Header().Set("Location", "/small")
			w.WriteHeader(http.StatusFound)
		}
		_, _ = w.Write(body)
	})
}

// defuse asks for a bomb in every way, and returns what went wrong.
func defuse(t *testing.T, conn *connection.Connection) error {
	t.Helper()
	bombed := request.Get(conn, "/bomb")
	var wrong []error
	for name, call := range map[string]func() error{
		"a struct":     func() error { _, err := request.Do[account](t.Context(), bombed); return err },
		"an any":       func() error { _, err := request.Do[any](t.Context(), bombed); return err },
		"[]byte":       func() error { _, err := request.Do[[]byte](t.Context(), bombed); return err },
		"Binary":       func() error { _, err := request.Do[request.Binary](t.Context(), bombed); return err },
		"string":       func() error { _, err := request.Do[string](t.Context(), bombed); return err },
		"a RawMessage": func() error { _, err := request.Do[json.RawMessage](t.Context(), bombed); return err },
		"XML": func() error {
			_, err := request.Do[account](t.Context(), bombed.Codec(request.XMLCodec()))
			return err
		},
		"Check": func() error {
			return bombed.Check(func(*http.Response, []byte) error { return nil }).Exec(t.Context())
		},
	} {
		if err := call(); !errors.Is(err, request.ErrTooLarge) || !errors.Is(err, request.StageRead) {
			wrong = append(wrong, fmt.Errorf("%s: the error is %w, want ErrTooLarge", name, err))
		}
	}
	if err := bombed.Exec(t.Context()); err != nil { // which wants none of it, and reads 256 KiB
		wrong = append(wrong, fmt.Errorf("Exec: %w", err))
	}
	for name, err := range map[string]error{
		"Do":     func() error { _, err := request.Do[account](t.Context(), request.Get(conn, "/error")); return err }(),
		"Stream": func() error { _, err := request.Get(conn, "/error").Stream(t.Context()); return err }(),
	} {
		e, ok := errors.AsType[*request.ResponseError](err)
		if !ok || len(e.Body) != 64<<10 {
			wrong = append(wrong, fmt.Errorf("an error to %s: %w, want a *ResponseError with 64 KiB", name, err))
		}
	}
	if v, err := request.Do[account](t.Context(), request.Get(conn, "/moved")); err != nil || v.ID != 1 {
		wrong = append(wrong, fmt.Errorf("a redirect: %+v, %w", v, err))
	}
	return errors.Join(wrong...)
}

func TestBomb(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inflated int
		options  []connection.Option
	}{
		"the default limit": {inflated: 33},
		"300,000 bytes":     {inflated: 1024, options: []connection.Option{connection.WithMaxBody(300_000)}},
	} {
		t.Run("I1 a bomb is refused at "+name+", and as error or redirect it is not read", func(t *testing.T) {
			t.Parallel()
			if underRace() && c.options == nil {
				t.Skip("to inflate 33 MiB eight times takes long, and the smaller limit is kept in the same way")
			}
			s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080", bombs(c.inflated))
			if err := defuse(t, connectTo(t, s, "", c.options...)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("I1 what fits the default limit to the byte is no bomb", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080", bombs(32))
		v, err := request.Do[[]byte](t.Context(), request.Get(connectTo(t, s, ""), "/bomb"))
		if err != nil || len(v) != defaultLimit {
			t.Errorf("%d bytes, %v", len(v), err)
		}
	})
}

// bombURL names the variable that tells this program to be the child of TestBombMemory.
const bombURL = "RESTCONN_TEST_BOMB_URL"

// TestBombMemory asks for bombs in a process of its own, and looks at the most memory that this has ever had.
func TestBombMemory(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(bombURL); url != "" {
		beBombed(t, url)
		return
	}
	if runtime.GOOS != "linux" || underRace() {
		t.Skip("it reads /proc, and the race detector has a memory of its own")
	}
	t.Run("T8 I1 a bomb of 1 GiB takes at most twice the limit and 32 MB", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(bombs(1024))
		defer server.Close()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBombMemory$", "-test.v")
		child.Env = append(os.Environ(), bombURL+"="+server.URL)
		began := time.Now()
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		_, after, _ := strings.Cut(string(out), "VmHWM:")
		peak, err := strconv.Atoi(strings.Fields(after + " none")[0])
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("the peak was %d MB, after %v", peak<<10/1_000_000, time.Since(began))
		if peak<<10 > 2*defaultLimit+32_000_000 {
			t.Errorf("the peak was %d kB", peak)
		}
	})
}

// beBombed is the child: it asks for bombs, and prints the line of its peak.
func beBombed(t *testing.T, url string) {
	t.Helper()
	conn, err := connection.New(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := defuse(t, conn); err != nil {
		t.Error(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
}

// transport is a transport that answers by itself.
type transport func(req *http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Bodies of all lengths around those at which the buffer grows are whole, whatever length is declared.
func TestBodyLengths(t *testing.T) {
	t.Parallel()
	const pooled = mebibyte
	long, rounds := unlessRace(9_000_000, 5*pooled+2), unlessRace(3, 2)
	for _, size := range []int{
		0, 1, 4096, 4097, 4098, pooled - 2, pooled - 1, pooled, pooled + 1, 2 * pooled, 2*pooled + 1, long,
	} {
		t.Run("I2 a body of "+strconv.Itoa(size)+" bytes", func(t *testing.T) {
			t.Parallel()
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i % 251)
			}
			for _, declared := range []int64{-1, int64(size), 0, 10, int64(size) / 2, int64(size) * 5, defaultLimit} {
				rt := transport(func(*http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: http.StatusOK, ContentLength: declared, Header: make(http.Header),
						Body: io.NopCloser(bytes.NewReader(body)),
					}, nil
				})
				conn, err := connection.New("http://127.0.0.1", connection.WithTransport(rt))
				if err != nil {
					t.Fatal(err)
				}
				for range rounds {
					got, err := request.Do[[]byte](t.Context(), request.Get(conn, "/"))
					if err != nil && declared <= defaultLimit || err == nil && !bytes.Equal(got, body) {
						t.Errorf("%d declared: %d bytes, %v", declared, len(got), err)
					}
				}
				_ = conn.Close()
			}
		})
	}
}
