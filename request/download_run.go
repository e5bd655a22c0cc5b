package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/partfile"
	"github.com/restconn/restconn/internal/wait"
)

// download is one call of Download or DownloadInto on its way.
type download struct {
	builder  Builder
	settings downloadSettings
	coded    bool   // the request has an Accept-Encoding of its own
	fixed    bool   // the caller has given the name
	name     string // of the file in its directory
	root     *os.Root
	file     *partfile.File
	buffer   []byte
	requests int
	exchange *connection.Exchange // the last one that has a response

	done      int64       // bytes in the file
	total     int64       // bytes that it will have; -1 if that is not known
	end       int64       // where the response under way has to end at the latest
	validator string      // for If-Range; "" if the file can only be begun anew
	header    http.Header // of the response that the file began with
}

const downloadBuffer = 128 << 10

// run sends requests until the file is whole.
func (d *download) run(ctx context.Context) error {
	d.buffer = make([]byte, downloadBuffer)
	delay := d.delays()
	for {
		came, err := d.request(ctx)
		if err == nil {
			return d.verify()
		}
		if !d.mayGoOn(ctx, err) {
			return d.failed(err, nil)
		}
		if stopped := d.exhausted(); stopped != nil {
			return d.failed(err, stopped)
		}
		if came > 0 {
			delay = d.delays()
			continue
		}
		if stopped := pause(ctx, delay(), err); stopped != nil {
			return d.failed(err, stopped)
		}
	}
}

// mayGoOn reports whether another request could mend err.
func (d *download) mayGoOn(ctx context.Context, err error) bool {
	_, interrupted := errors.AsType[*interruption](err)
	if !interrupted && (d.requests == 1 || !passing(err)) {
		return false // the first request has the retries of the connection, and no others
	}
	return ctx.Err() == nil
}

// exhausted says why the download is not resumed; nil if it may be.
func (d *download) exhausted() error {
	switch {
	case d.builder.method != http.MethodGet:
		return fmt.Errorf("a %s is not resumed", d.builder.method)
	case d.builder.body != nil:
		return errors.New("a request with a body is not resumed")
	case d.requests > d.settings.resumes:
		return fmt.Errorf("the limit of Resumes is %d", d.settings.resumes)
	}
	return nil
}

const (
	firstResume = 500 * time.Millisecond
	lastResume  = 30 * time.Second
	// mostRetryAfter is how long a server may make a download wait.
	mostRetryAfter = time.Minute
)

func (*download) delays() func() time.Duration {
	return connection.Delays(connection.ExponentialFrom(firstResume, lastResume))
}

// pause waits before the next request, after one that ended with err. It returns why there is to be none.
func pause(ctx context.Context, d time.Duration, err error) error {
	asked := retryAfter(err)
	if asked > mostRetryAfter {
		return fmt.Errorf("Retry-After asks for %v, and the most is %v", asked, mostRetryAfter)
	}
	return wait.For(ctx, max(d, asked))
}
