package request

import (
	"errors"
	"net/url"
	"strings"

	"github.com/restconn/restconn/internal/origin"
)

// atCursor makes the builder ask a URL that [Pages] gave out as a cursor. Whoever kept it may have changed it.
func (b Builder) atCursor(cursor string) (Builder, error) {
	if err := b.connected(); err != nil {
		return b, err
	}
	u, err := url.Parse(cursor)
	if err != nil || u.User != nil || strings.ContainsAny(cursor, `# \`) {
		return b, errCursor
	}
	if _, err := origin.Of(u); err != nil {
		return b, errCursor
	}
	base, _, err := b.split()
	if err != nil {
		return b, err
	}
	if err := b.conn.CheckLink(&base, u); err != nil {
		return b, err
	}
	return b.at(u), nil
}

var errCursor = errors.New("the cursor is not a URL that Page.Cursor has held")

// queryValue returns the value of a query parameter of the request; "" if it has none.
func (b *Builder) queryValue(name string) string {
	for i := b.count - 1; i >= 0; i-- {
		if p := b.param(i); p.isQuery() && p.name == name {
			return p.value
		}
	}
	base, template, err := b.split()
	if err != nil {
		return ""
	}
	_, query, _ := strings.Cut(template, "?")
	for _, query := range []string{query, base.RawQuery} {
		values, _ := url.ParseQuery(query)
		if v := values.Get(name); v != "" {
			return v
		}
	}
	return ""
}
