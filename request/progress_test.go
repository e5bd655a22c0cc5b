package request_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// However a terminal ends while the body is still being sent, nothing is reported after it.
func TestUploadProgressEarlyAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		contentType, text string
		send              func(ctx context.Context, b request.Builder) error
	}{
		"Do": {"application/json", `{"id":7}`, func(ctx context.Context, b request.Builder) error {
			_, err := request.Do[account](ctx, b)
			return err
		}},
		"Exec": {"text/plain", "ok", func(ctx context.Context, b request.Builder) error { return b.Exec(ctx) }},
		"Download": {"text/plain", "ok", func(ctx context.Context, b request.Builder) error {
			_, err := request.Download(ctx, b, filepath.Join(dir, rand.Text()))
			return err
		}},
		"JSONLines": {lineType, "1\n2\n", func(ctx context.Context, b request.Builder) error {
			return last(request.JSONLines[int](ctx, b))
		}},
		"Events": {eventStream, "data: a\n\n", func(ctx context.Context, b request.Builder) error {
			return last(request.Events(ctx, b))
		}},
		"a loop over JSONLines that is left": {
			lineType, "1\n2\n", func(ctx context.Context, b request.Builder) error {
				for _, err := range request.JSONLines[int](ctx, b) {
					return err
				}
				return errors.New("there is no line")
			},
		},
		"a loop over Events that is left": {
			eventStream, "data: a\n\n", func(ctx context.Context, b request.Builder) error {
				for _, err := range request.Events(ctx, b) {
					return err
				}
				return errors.New("there is no event")
			},
		},
	} {
		for _, status := range []int{200, 413} {
			inBubble(t, fmt.Sprintf("L3 %s, and a %d while the body is sent", name, status), func(t *testing.T) {
				answer := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
					status, c.contentType, len(c.text), c.text)
				srv := rawAnswer(connectiontest.NewNetwork(t), homeURL, answer)
				body := new(bookkeeper).body(-1, func() io.Reader { return &filler{n: 300_000, pause: 10 * time.Second} })
				var reports, late atomic.Int32
				var over atomic.Bool
				put := request.Put(connectTo(t, srv, ""), "/").Body(body).UploadProgress(func(request.Progress) {
					reports.Add(1)
					if over.Load() {
						late.Add(1)
					}
				})
				err := c.send(t.Context(), put)
				over.Store(true)
				if status == 200 && err != nil || status != 200 && !errors.Is(err, request.Status(status)) {
					t.Errorf("error %v", err)
				}
				time.Sleep(time.Hour)
				if reports.Load() < 2 || late.Load() != 0 {
					t.Errorf("%d reports, %d of them after the terminal had returned", reports.Load(), late.Load())
				}
			})
		}
	}
}
