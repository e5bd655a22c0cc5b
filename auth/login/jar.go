package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/origin"
)

// jar holds the cookies of one login, in the order in which they were set. Path and Domain do not count: a login goes
// to few places, and a cookie goes back to the origin that has set it only.
type jar []*kept

// kept is a cookie, and where it came from.
type kept struct {
	from        origin.Origin
	name, value string
}

// read notes the cookies of an answer.
func (j *jar) read(from *url.URL, cookies []*http.Cookie, now time.Time) {
	o, err := origin.Of(from)
	if err != nil {
		return
	}
	for _, c := range cookies {
		i := slices.IndexFunc(*j, func(k *kept) bool { return k.from == o && k.name == c.Name })
		value := c.Value
		if c.Quoted {
			value = `"` + value + `"`
		}
		gone := c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && c.Expires.Before(now)
		switch {
		case i >= 0 && gone:
			*j = slices.Delete(*j, i, i+1)
		case i >= 0:
			(*j)[i].value = value
		case !gone:
			*j = append(*j, &kept{from: o, name: c.Name, value: value})
		}
	}
}

// write puts the cookies of its origin on a request, behind those that are there.
func (j *jar) write(req *http.Request) {
	o, err := origin.Of(req.URL)
	if err != nil {
		return
	}
	addCookies(req.Header, j.pairs(o))
}

// pairs returns the cookies of an origin.
func (j *jar) pairs(o origin.Origin) []string {
	var pairs []string
	for _, k := range *j {
		if k.from == o {
			pairs = append(pairs, k.name+"="+k.value)
		}
	}
	return pairs
}

// of returns the cookie of that name: that of the origin, or else the first. It is nil if there is none.
func (j *jar) of(o origin.Origin, name string) *kept {
	var first *kept
	for _, k := range *j {
		switch {
		case k.name != name || k.value == "":
		case k.from == o:
			return k
		case first == nil:
			first = k
		}
	}
	return first
}

// text returns the cookies of those names, or all of the last origin, as "a=1; b=2". The error names one that is
// missing.
func (j *jar) text(last *url.URL, names []string, all bool) (text string, err error) {
	o, err := origin.Of(last)
	if err != nil {
		return "", err
	}
	var pairs []string
	if all {
		pairs = j.pairs(o)
	}
	for _, name := range names {
		k := j.of(o, name)
		if k == nil {
			return "", fmt.Errorf("Cookies: the answer sets no cookie %s", name)
		}
		pairs = append(pairs, name+"="+k.value)
	}
	if len(pairs) == 0 {
		return "", errors.New("AllCookies: the answer sets no cookies")
	}
	return strings.Join(pairs, "; "), nil
}
