package request

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/contentrange"
	"github.com/restconn/restconn/internal/field"
)

// rest asks for what follows the first bytes if the validator still holds, and else for all (RFC 9110, section 13.1.5).
func (b Builder) rest(from int64, validator string) Builder {
	b = b.Header(byteRange, "bytes="+strconv.FormatInt(from, 10)+"-").Header(ifRange, validator)
	if !b.effective().expectedSet {
		return b
	}
	return b.with(func(p *policy) { p.expected = append(slices.Clip(p.expected), http.StatusPartialContent) })
}

// validator returns what a request for the rest of a response may have in If-Range: its strong entity tag or, if it has
// no entity tag, the time of its last change if that is a strong validator (RFC 9110, section 8.8.2.2). It is "" if the
// rest cannot be asked for.
func validator(header http.Header) string {
	if slices.ContainsFunc(header["Accept-Ranges"], func(v string) bool {
		return strings.EqualFold(strings.TrimSpace(v), "none")
	}) {
		return ""
	}
	switch tags := header["Etag"]; {
	case len(tags) > 1, len(tags) == 1 && !isStrong(tags[0]):
		return ""
	case len(tags) == 1:
		return tags[0]
	}
	changed := header.Get("Last-Modified")
	modified, err := http.ParseTime(changed)
	if err != nil {
		return ""
	}
	sent, err := http.ParseTime(header.Get("Date"))
	if err != nil || sent.Sub(modified) < time.Second {
		return ""
	}
	return changed
}

// isStrong reports whether s is an entity tag that is not weak (RFC 9110, section 8.8.3).
func isStrong(s string) bool {
	return len(s) >= 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2 &&
		!field.HasControl(s) && !strings.Contains(s, " ")
}

// goOn makes the file go on with a 206 response. An error means that the two do not fit together.
func (d *download) goOn(resp *http.Response) error {
	part, ok := contentrange.Of(resp.Header)
	media, _ := parseType(typeOf(resp.Header))
	length := part.Last - part.First + 1
	switch {
	case !ok || media == "multipart/byteranges":
		return errors.New("the 206 response has no Content-Range that can be read")
	case part.First != d.done:
		return errors.New("the Content-Range begins at another byte than was asked for")
	case part.Total < 0 && d.total < 0:
		return errors.New("nobody says how long the file is")
	case part.Total >= 0 && d.total >= 0 && part.Total != d.total, d.total >= 0 && part.Last >= d.total:
		return errors.New("the Content-Range has another total length than the file")
	case resp.ContentLength >= 0 && resp.ContentLength != length:
		return errors.New("the Content-Range does not have the length of the response")
	case !d.sameFile(resp.Header):
		return errors.New("the 206 response is of another version of the file")
	}
	d.total, d.end = max(d.total, part.Total), part.First+length
	return nil
}

// sameFile reports whether the validators of a 206 response are those of the file. It has to have the entity tag that a
// 200 would have had, and may leave out the rest (RFC 9110, section 15.3.7).
func (d *download) sameFile(header http.Header) bool {
	if strings.HasPrefix(d.validator, `"`) {
		tags := header["Etag"]
		return len(tags) == 1 && tags[0] == d.validator
	}
	changed := header.Get("Last-Modified")
	return changed == "" || changed == d.validator
}
