package preset

import (
	"reflect"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
)

// Nothing stands in a preset that is not filled in.
func TestPresetsHaveNoOtherFields(t *testing.T) {
	t.Parallel()
	for _, p := range services {
		c, a := p.client, p.authorization
		c.RefreshURL, c.RevocationURL, c.ScopeSeparator, c.Encoding, c.AcceptForm = "", "", "", oauth2flow.Form, false
		c.Params, c.Names, c.AnswerNames, c.AcceptTokenTypes, c.ExpiryField = nil, nil, nil, nil, ""
		a.Params, a.Names, a.Keep, a.ServerParam, a.Servers, a.PKCE = nil, nil, nil, "", nil, oauth2flow.PKCES256
		if !reflect.ValueOf(c).IsZero() || !reflect.ValueOf(a).IsZero() {
			t.Errorf("%s has a field that nobody reads", p.name)
		}
	}
}
