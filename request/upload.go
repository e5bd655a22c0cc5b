package request

import (
	"io"
	"sync"

	"github.com/restconn/restconn/connection"
)

// UploadProgress calls f while the body is sent: with 0 before the first byte of each attempt, and with each piece that
// the transport has read. The number of the attempt is how often the body was opened. A request without a body has no
// progress. A nil f is an error.
//
// f is called from the goroutine that sends the body, but for one request never twice at once, never for an earlier
// attempt after a later one, and not after a terminal has returned: the terminal waits for a call that is under way, so
// f must not block. After [Builder.Stream] and [Builder.Request], it is called for as long as the body is sent.
// If the Builder is sent several times, f serves all of them.
func (b Builder) UploadProgress(f func(Progress)) Builder {
	return b.with(func(p *policy) { p.progress, p.progressSet = f, true })
}

// upload reports how far the body of one call has come. A nil upload does nothing.
type upload struct {
	f     func(Progress)
	total int64
	open  func() (io.ReadCloser, error)

	mu      sync.Mutex // held while f runs
	attempt int        // the latest
	over    bool
}

// track puts an upload before the body of a call.
func track(f func(Progress), call *connection.Call) *upload {
	if f == nil || call.Body == nil {
		return nil
	}
	u := &upload{f: f, total: max(call.BodyLen, -1), open: call.Body}
	call.Body = u.openTracked
	return u
}

func (u *upload) openTracked() (io.ReadCloser, error) {
	rc, err := u.open()
	if err != nil || rc == nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attempt++
	return &trackedBody{ReadCloser: rc, upload: u, attempt: u.attempt}, nil
}

// report calls f, unless there is a later attempt, or the call is over.
func (u *upload) report(attempt int, done int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if attempt == u.attempt && !u.over {
		u.f(Progress{Done: done, Total: u.total, Attempt: attempt})
	}
}

// stop ends the reports. A call of f that is under way has returned when stop returns.
func (u *upload) stop() {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
}

// trackedBody is the body of one attempt. It is read by one goroutine.
type trackedBody struct {
	io.ReadCloser
	upload  *upload
	attempt int
	begun   bool
	done    int64
}

func (b *trackedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		b.upload.report(b.attempt, 0)
	}
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.done += int64(n)
		b.upload.report(b.attempt, b.done)
	}
	return n, err
}
