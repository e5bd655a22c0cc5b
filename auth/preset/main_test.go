package preset_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/preset"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const redirectURI = "https://app.example.test/cb"

// lookup returns the preset of that name, with values for its parameters in turn.
func lookup(t *testing.T, name string, values ...string) preset.Preset {
	t.Helper()
	p, ok := preset.Lookup(name)
	if !ok {
		t.Fatalf("there is no preset %q", name)
	}
	for i := 0; i < len(values); i += 2 {
		p = p.With(values[i], values[i+1])
	}
	return p
}

// client is the client cid with the secret csec, whose calls go to the network.
func client(net *connectiontest.Network) oauth2flow.Client {
	c := oauth2flow.Client{ID: "cid", Secret: secrets.Static("csec")}
	if net != nil {
		c.Endpoint = auth.Endpoint{Client: &http.Client{Transport: net.Transport()}}
	}
	return c
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
