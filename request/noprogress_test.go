package request_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// stuck reads what it has, and then nothing, for ever and without an error.
type stuck struct{ rest io.Reader }

func (s stuck) Read(p []byte) (int, error) {
	n, _ := s.rest.Read(p)
	return n, nil
}

// hesitant has nothing for a while before each byte, and before its end.
type hesitant struct {
	rest  io.Reader
	empty int
}

func (h *hesitant) Read(p []byte) (int, error) {
	const while = 50
	h.empty++
	if h.empty%while != 0 || len(p) == 0 {
		return 0, nil
	}
	return h.rest.Read(p[:1])
}

// A body that has nothing and does not end is not read for ever.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	answers := func(t *testing.T, contentType string, body io.Reader) request.Builder {
		t.Helper()
		conn, err := connection.New("https://api.example.test",
			connection.WithTransport(bodies{contentType, func() io.Reader { return body }}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return request.Post(conn, "/x")
	}
	for name, c := range map[string]struct {
		contentType, text string
		read              func(t *testing.T, b request.Builder) error
	}{
		"Do": {"application/json", `{"id":`, func(t *testing.T, b request.Builder) error {
			_, err := request.Do[account](t.Context(), b)
			return err
		}},
		"Exec": {"text/plain", "x", func(t *testing.T, b request.Builder) error { return b.Exec(t.Context()) }},
		"Download": {"text/plain", "x", func(t *testing.T, b request.Builder) error {
			_, err := request.Download(t.Context(), b, filepath.Join(t.TempDir(), "a"))
			return err
		}},
		"Events": {eventStream, "data: a\n\ndata: b", func(t *testing.T, b request.Builder) error {
			return last(request.Events(t.Context(), b))
		}},
		"JSONLines": {lineType, "1\n2", func(t *testing.T, b request.Builder) error {
			return last(request.JSONLines[int](t.Context(), b))
		}},
	} {
		for _, text := range []string{"", c.text} {
			t.Run("I2 "+name+", after "+text, func(t *testing.T) {
				t.Parallel()
				err := c.read(t, answers(t, c.contentType, stuck{strings.NewReader(text)}))
				wantStage[*request.Error](t, err, request.StageRead)
				if !errors.Is(err, io.ErrNoProgress) {
					t.Errorf("error %v, want io.ErrNoProgress", err)
				}
			})
		}
	}
	t.Run("I2 a body that takes its time is whole", func(t *testing.T) {
		t.Parallel()
		decoded(account{ID: 7})(t, answers(t, "application/json", &hesitant{rest: strings.NewReader(`{"id":7}`)}))
	})
}

// A request body that has nothing and does not end breaks off the request, which is not tried again.
func TestUploadNoProgress(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(n *connectiontest.Network) *connectiontest.Server{
		"HTTP/1": func(n *connectiontest.Network) *connectiontest.Server { return n.Serve(homeURL, nothingMore) },
		"HTTP/2": func(n *connectiontest.Network) *connectiontest.Server { return n.ServeH2(homeURL, nothingMore) },
	} {
		for kind, body := range map[string]func(open func() io.Reader) request.Body{
			"of unknown length": func(open func() io.Reader) request.Body { return new(bookkeeper).body(-1, open) },
			"of known length":   func(open func() io.Reader) request.Body { return new(bookkeeper).body(8, open) },
			"in a multipart": func(open func() io.Reader) request.Body {
				return request.Multipart().FileFrom("f", new(bookkeeper).body(-1, open))
			},
			"once": func(open func() io.Reader) request.Body { return request.Once("", open()) },
		} {
			t.Run("L2 a body "+kind+" over "+name, func(t *testing.T) {
				t.Parallel()
				srv := serve(connectiontest.NewNetwork(t))
				post := request.Post(connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 2})), "/")
				err := post.Body(body(func() io.Reader { return stuck{strings.NewReader("abc")} })).Exec(t.Context())
				e := wantStage[*request.Error](t, err, request.StageSend)
				if !errors.Is(err, io.ErrNoProgress) || e.Attempts != 1 {
					t.Errorf("error %v after %d attempts, want io.ErrNoProgress after one", err, e.Attempts)
				}
				slow := body(func() io.Reader { return &hesitant{rest: strings.NewReader("whole...")} })
				if err := post.Body(slow).Exec(t.Context()); err != nil {
					t.Errorf("a body that takes its time: %v", err)
				}
			})
		}
	}
}
