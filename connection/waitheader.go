package connection

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/retrytime"
)

// WaitForm says how the value of a [WaitHeader] is read. A number is made of digits and may have a fraction; a value
// that is negative, longer than any number or date, or anything else, is as if it were not there.
type WaitForm string

// The forms.
const (
	// WaitAuto is a date, or a number: a delay in seconds, from 1e9 on a Unix time in seconds, and from 1e12 on one in
	// milliseconds. It is the default.
	WaitAuto = WaitForm(retrytime.Auto)
	// WaitRetryAfter is a delay in seconds or a date, as in Retry-After (RFC 9110, section 10.2.3).
	WaitRetryAfter = WaitForm(retrytime.RetryAfter)
	// WaitSeconds is a delay in seconds.
	WaitSeconds = WaitForm(retrytime.Seconds)
	// WaitMilliseconds is a delay in milliseconds.
	WaitMilliseconds = WaitForm(retrytime.Milliseconds)
	// WaitEpoch is a Unix time in seconds.
	WaitEpoch = WaitForm(retrytime.Epoch)
	// WaitDate is one of the three dates of HTTP (RFC 9110, section 5.6.7).
	WaitDate = WaitForm(retrytime.Date)
	// WaitRateLimit is the structured field RateLimit of the IETF draft on rate limits, in which each quota says how much
	// of it is left: "policy";r=0;t=10, or as in earlier versions limit=100, remaining=0, reset=10.
	WaitRateLimit = WaitForm(retrytime.RateLimit)
)

// WaitHeader is a response header in which a server says how long to wait.
type WaitHeader struct {
	// Name is the name of the header.
	Name string
	// Form says how it is read. The default is [WaitAuto].
	Form WaitForm
	// Remaining names the header that holds how many requests are left, where Name holds the time at which there will be
	// more of them. It then counts only if none is left: if Remaining is 0, or the status is 429 and Remaining is not
	// there or not a number. With [WaitRateLimit] it stays empty: that field says it itself.
	Remaining string
}

// DefaultWaitHeaders returns the list that counts where [Retry.WaitHeaders] is empty. It is the caller's.
//
//	Retry-After               seconds or a date (RFC 9110, section 10.2.3)
//	Retry-After-Ms            milliseconds; also X-Ms-Retry-After-Ms (Azure)
//	RateLimit-Reset           any form, with RateLimit-Remaining (GitLab: Unix time; the IETF draft once had seconds)
//	RateLimit                 the structured field (draft-ietf-httpapi-ratelimit-headers)
//	X-RateLimit-Reset         any form, with X-RateLimit-Remaining (GitHub: Unix time; others: seconds)
//	X-Rate-Limit-Reset        any form, with X-Rate-Limit-Remaining (X, Okta: Unix time)
//	X-RateLimit-Reset-After   seconds, with X-RateLimit-Remaining (Discord)
//	X-RateLimit-Retry-After   any form (services send a Unix time or seconds)
func DefaultWaitHeaders() []WaitHeader {
	return []WaitHeader{
		{Name: "Retry-After", Form: WaitRetryAfter},
		{Name: "Retry-After-Ms", Form: WaitMilliseconds},
		{Name: "X-Ms-Retry-After-Ms", Form: WaitMilliseconds},
		{Name: "RateLimit-Reset", Form: WaitAuto, Remaining: "RateLimit-Remaining"},
		{Name: "RateLimit", Form: WaitRateLimit},
		{Name: "X-RateLimit-Reset", Form: WaitAuto, Remaining: "X-RateLimit-Remaining"},
		{Name: "X-Rate-Limit-Reset", Form: WaitAuto, Remaining: "X-Rate-Limit-Remaining"},
		{Name: "X-RateLimit-Reset-After", Form: WaitSeconds, Remaining: "X-RateLimit-Remaining"},
		{Name: "X-RateLimit-Retry-After", Form: WaitAuto},
	}
}

// defaultWaits is DefaultWaitHeaders as it is read.
var defaultWaits = compile(DefaultWaitHeaders()) //nolint:gochecknoglobals // never changed

// compile brings headers into the form that they are read in.
func compile(headers []WaitHeader) []retrytime.Field {
	fields := make([]retrytime.Field, 0, len(headers))
	for _, h := range headers {
		fields = append(fields, retrytime.Field{
			Name: http.CanonicalHeaderKey(h.Name), Shown: h.Name, Form: retrytime.Form(cmp.Or(h.Form, WaitAuto)),
			Remaining: http.CanonicalHeaderKey(h.Remaining),
		})
	}
	return fields
}

func (h WaitHeader) validate() error {
	switch {
	case !field.IsToken(h.Name) || h.Remaining != "" && !field.IsToken(h.Remaining):
		return errors.New("a name is not a token (RFC 9110, section 5.1)")
	case !retrytime.Form(cmp.Or(h.Form, WaitAuto)).Known():
		return errors.New("the form is none of WaitAuto, WaitRetryAfter, WaitSeconds and so on")
	case h.Form == WaitRateLimit && h.Remaining != "":
		return errors.New("a RateLimit field says itself what remains: leave Remaining empty")
	}
	return nil
}

// validateWaitHeaders joins what is wrong with each header.
func validateWaitHeaders(headers []WaitHeader) error {
	var errs []error
	for i, h := range headers {
		if err := h.validate(); err != nil {
			errs = append(errs, fmt.Errorf("WaitHeaders: header %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

// asked returns how long a server wants its client to wait, and the name of the header in which it says so; "" if it
// says nothing.
func (r Retry) asked(resp *http.Response) (time.Duration, string) {
	if r.IgnoreRetryAfter {
		return 0, ""
	}
	return retrytime.Longest(r.waits, resp.StatusCode, resp.Header, time.Now())
}

// withWaits fills in the headers. The caller may change his list afterwards.
func (r Retry) withWaits() Retry {
	r.waits = defaultWaits
	if len(r.WaitHeaders) > 0 {
		r.waits = compile(r.WaitHeaders)
	}
	return r
}
