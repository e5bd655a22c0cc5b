package bench

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// FakeURL is a base URL for the transports of this file.
const FakeURL = "https://api.example.com"

// Fake is a transport in memory. It answers every request with [SampleJSON], in a response of one allocation.
type Fake struct{}

// RoundTrip implements [http.RoundTripper].
func (Fake) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := consume(req.Body); err != nil {
		return nil, err
	}
	return newAnswer(req, "200 OK", http.StatusOK, jsonHeader, sampleJSON), nil
}

// FlakyFake is a [Fake] that answers 503 twice before each 200. It serves one caller at a time.
type FlakyFake struct {
	count atomic.Int64
}

// FlakyFailures is the number of 503s before each 200 of a [FlakyFake].
const FlakyFailures = 2

// RoundTrip implements [http.RoundTripper].
func (f *FlakyFake) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.count.Add(1)%(FlakyFailures+1) == 0 {
		return Fake{}.RoundTrip(req)
	}
	if err := consume(req.Body); err != nil {
		return nil, err
	}
	return newAnswer(req, "503 Service Unavailable", http.StatusServiceUnavailable, textHeader, unavailable), nil
}

// The headers are shared by all answers: no client changes the header of a response.
var (
	jsonHeader  = http.Header{"Content-Type": {mediaJSON}}
	textHeader  = http.Header{"Content-Type": {"text/plain"}}
	unavailable = []byte("try again\n")
)

// answer is a response and its body in one allocation.
type answer struct {
	http.Response
	body body
}

type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

func newAnswer(req *http.Request, status string, code int, header http.Header, content []byte) *http.Response {
	a := &answer{Response: http.Response{
		Status:        status,
		StatusCode:    code,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: int64(len(content)),
		Request:       req,
	}}
	a.body.Reset(content)
	a.Body = &a.body
	return &a.Response
}

// consume reads and closes the body of a request, as a transport must.
func consume(body io.ReadCloser) error {
	if body == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}
