package login

import (
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
	var pairs []string
	for _, line := range req.Header["Cookie"] {
		pairs = append(pairs, strings.TrimRight(line, "; "))
	}
	for _, k := range *j {
		if k.from == o {
			pairs = append(pairs, k.name+"="+k.value)
		}
	}
	if len(pairs) > 0 {
		req.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
}

// text returns the cookies of those names, or all, as "a=1; b=2". It reports false if one is missing.
func (j *jar) text(names []string, all bool) (string, bool) {
	var pairs []string
	for _, k := range *j {
		if all {
			pairs = append(pairs, k.name+"="+k.value)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(*j, func(k *kept) bool { return k.name == name })
		if i < 0 || (*j)[i].value == "" {
			return "", false
		}
		pairs = append(pairs, name+"="+(*j)[i].value)
	}
	return strings.Join(pairs, "; "), len(pairs) > 0
}
