package request

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/restconn/restconn/connection"
)

// request sends one request and adds what comes to the file. It returns how many bytes came.
func (d *download) request(ctx context.Context) (int64, error) {
	d.requests++
	b := d.builder
	from := int64(0)
	if d.validator != "" {
		from = d.done
	}
	if from > 0 {
		b = b.rest(from, d.validator)
	}
	x, err := b.open(ctx, "")
	if err == nil {
		defer x.Close()
		d.exchange = x.Exchange
		err = d.accept(x.Exchange, from)
	}
	if from > 0 && errors.Is(err, Status(http.StatusRequestedRangeNotSatisfiable)) {
		d.validator = ""
		err = &interruption{errors.New("the server has no such range (416)")}
	}
	if err != nil {
		return 0, err
	}
	before := d.done
	err = d.copy(x.Response.Body)
	return d.done - before, err
}

// accept judges a response to a request for what comes after that many bytes.
func (d *download) accept(x *connection.Exchange, from int64) error {
	status := x.Response.StatusCode
	switch {
	case status/100 != 2, status == http.StatusNoContent, status == http.StatusResetContent:
		return d.fileless(x, "such a response carries no file")
	case status == http.StatusPartialContent && from == 0:
		return d.fileless(x, "it carries a part of the file, and the whole was asked for")
	}
	if coding := contentCoding(x.Response.Header); coding != "" && !d.coded {
		return d.undecoded(errors.New("the content coding is " + brief(coding) + ", and none was asked for: " +
			"to save the file in it, set an Accept-Encoding header"))
	}
	if status == http.StatusPartialContent {
		if err := d.goOn(x.Response); err != nil {
			d.validator = ""
			return &interruption{err}
		}
	} else if err := d.begin(x.Response); err != nil {
		return err
	}
	if d.total > d.settings.most {
		return d.tooLarge()
	}
	return nil
}

// begin makes the file that of a whole response.
func (d *download) begin(resp *http.Response) error {
	d.header = resp.Header
	if err := d.choose(resp.Header); err != nil {
		return err
	}
	if d.done > 0 {
		if err := d.file.Clear(); err != nil {
			return d.unsaved(err)
		}
		if d.settings.digest != nil {
			d.settings.digest.Reset()
		}
	}
	d.done, d.total, d.end, d.validator = 0, resp.ContentLength, math.MaxInt64, ""
	if !d.coded && !resp.Uncompressed {
		d.validator = validator(resp.Header)
	}
	return nil
}

// copy writes the body of the response to the file.
func (d *download) copy(body io.Reader) error {
	d.tell()
	for {
		n, err := body.Read(d.buffer)
		if n > 0 {
			if err := d.write(d.buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return d.ended(err)
		}
	}
}

// write adds a chunk to the file.
func (d *download) write(chunk []byte) error {
	if int64(len(chunk)) > d.end-d.done {
		d.validator = "" // what came before may be wrong as well
		return &interruption{errors.New("the response is longer than its Content-Range")}
	}
	if int64(len(chunk)) > d.settings.most-d.done {
		return d.tooLarge()
	}
	n, err := d.file.Write(chunk)
	d.done += int64(n)
	if err != nil {
		return d.unsaved(err)
	}
	if d.settings.digest != nil {
		_, _ = d.settings.digest.Write(chunk) // never fails (hash.Hash)
	}
	d.tell()
	return nil
}

// ended judges the end of a body.
func (d *download) ended(err error) error {
	switch {
	case d.done == d.total, d.total < 0 && isEnd(err):
		return nil
	case isEnd(err):
		err = io.ErrUnexpectedEOF
	}
	return &interruption{err}
}

func (d *download) tell() {
	if d.settings.progress != nil {
		d.settings.progress(Progress{Done: d.done, Total: d.total, Attempt: d.requests})
	}
}

func (d *download) tooLarge() error {
	return d.fault(StageRead, fmt.Errorf("%w (%d bytes)", ErrDownloadTooLarge, d.settings.most))
}
