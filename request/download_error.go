package request

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
)

// ErrDownloadTooLarge means that a file is longer than [MaxDownload] allows.
var ErrDownloadTooLarge = errors.New("the file is longer than MaxDownload allows")

// DownloadError says how far a download came that broke off. It lies in the [*Error] or [*ResponseError] of the last
// request.
type DownloadError struct {
	// Done is the number of bytes that had come, and Total what was expected; -1 if the server has not said.
	Done, Total int64
	// Requests is the number of requests that were sent.
	Requests int
	// Err is what ended the last request; nil if that was its status.
	Err error
	// Stopped says why no other request followed; nil if Err does. It may be the end of the caller's context.
	Stopped error
}

func (e *DownloadError) Error() string {
	text := fmt.Sprintf("the download broke off after %d", e.Done)
	if e.Total >= 0 {
		text += fmt.Sprintf(" of %d", e.Total)
	}
	text += fmt.Sprintf(" bytes and %d request", e.Requests)
	if e.Requests != 1 {
		text += "s"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Stopped != nil {
		text += " (not tried again: " + e.Stopped.Error() + ")"
	}
	return text
}

// Unwrap returns what ended the last request, and why no other followed.
func (e *DownloadError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Err, e.Stopped} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// ChecksumError means that a file came whole and is not the one that [Checksum] describes. It is the Err of an [*Error]
// of [StageDecode].
type ChecksumError struct {
	// Got and Want are the two sums, in hexadecimal digits.
	Got, Want string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("the file came whole, and its checksum is %s, not %s", e.Got, e.Want)
}

// interruption is an error after which the download may go on.
type interruption struct{ err error }

func (e *interruption) Error() string { return e.err.Error() }
func (e *interruption) Unwrap() error { return e.err }

// verify compares the file with its checksum.
func (d *download) verify() error {
	if d.settings.digest == nil {
		return nil
	}
	got, want := hex.EncodeToString(d.settings.digest.Sum(nil)), hex.EncodeToString(d.settings.sum)
	if got != want {
		return d.fault(StageDecode, &ChecksumError{Got: got, Want: want})
	}
	return nil
}

// failed makes the error of a download that ends with err, which came last. The stage is that of err.
func (d *download) failed(err, stopped error) error {
	e := &DownloadError{Done: d.done, Total: d.total, Requests: d.requests, Stopped: stopped}
	if i, ok := errors.AsType[*interruption](err); ok {
		e.Err = redact.Error(i.err)
		return d.fault(StageRead, e)
	}
	if d.requests == 1 {
		return err // nothing has broken off
	}
	return amended(err, func(was error) error {
		e.Err = was
		return e
	})
}

// fault makes the error of the last response.
func (d *download) fault(stage Stage, err error) error {
	x := d.exchange
	return &Error{Stage: stage, Method: d.builder.method, URL: x.URL(), Attempts: x.Attempts(), Err: err}
}

// unsaved makes the error of a file that cannot be written.
func (d *download) unsaved(err error) error { return d.fault(StageSave, redact.Error(err)) }

// undecoded makes the error of a response that is not what was asked for. Its body stays unread.
func (d *download) undecoded(err error) error {
	r := d.builder.reader(d.exchange)
	return r.decodeError(err)
}

// fileless makes the error of a response that carries no file. Its body stays unread: it may be long.
func (d *download) fileless(x *connection.Exchange, cause string) error {
	r := d.builder.reader(x)
	return r.responseError(nil, errors.New(cause))
}
