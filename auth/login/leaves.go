package login

import (
	"fmt"

	"github.com/restconn/restconn/internal/redact"
)

const (
	maxLeaves  = 500      // texts of the answers that are looked for in an error
	maxMasking = 16 << 10 // bytes of the error
)

// ofHook is an error of OnTokenResponse, which may quote the answers. What they hold is masked, and all of the error if
// there is too much of either.
func (x *exchange) ofHook(err error) error {
	var texts []string
	for _, r := range x.replies {
		texts = append(texts, leaves(r.seen.Body, nil)...)
		if r.seen.Body == nil {
			texts = append(texts, string(r.Body)) // which could not be read
		}
		for _, c := range r.cookies {
			texts = append(texts, c.Value)
		}
		for name, values := range r.Header {
			if !redact.Shown(name) {
				texts = append(texts, values...)
			}
		}
	}
	err = fmt.Errorf("OnTokenResponse: %w", err)
	if len(texts) > maxLeaves || len(err.Error()) > maxMasking {
		return &masked{text: "OnTokenResponse: " + redact.Mask, err: err}
	}
	x.secret = append(x.secret, texts...)
	return err
}

// leaves appends the texts in a value to those that were found, and one more than enough at most.
func leaves(value any, found []string) []string {
	if len(found) > maxLeaves {
		return found
	}
	switch v := value.(type) {
	case string:
		return append(found, v)
	case list:
		for _, child := range v {
			found = leaves(child, found)
		}
	case map[string]any:
		for _, child := range v {
			found = leaves(child, found)
		}
	}
	return found
}
