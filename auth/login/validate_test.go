package login_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/secrets"
)

// fields returns the fields of all faults in err.
func fields(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, fields(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*login.ConfigError](err); ok {
		return []string{e.Field}
	}
	return nil
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(cfg *login.Config)
		want   []string
	}{
		{"the config is valid", func(*login.Config) {}, nil},
		{"K-20 no path", func(c *login.Config) { c.Steps[0].Path = "" }, []string{"Steps[0].Path"}},
		{"K-37 no base URL", func(c *login.Config) { c.BaseURL = "" }, []string{"BaseURL"}},
		{"K-30 no token", func(c *login.Config) { c.Token = "" }, []string{"Token"}},
		{"K-30 no expiry", func(c *login.Config) { c.NeverExpires = false }, []string{"Expiry"}},
		{"K-30 an expiry that is none", func(c *login.Config) { c.Expiry = "body.e" }, []string{"NeverExpires"}},
		{"K-38 a certificate that is none", func(c *login.Config) { c.Endpoint.TrustedCA = []byte{1} }, []string{"Endpoint"}},
		{"no steps", func(c *login.Config) { c.Steps = nil }, []string{"Steps"}},
		{"a path and a URL", func(c *login.Config) { c.Steps[0].URL = "https://h/x" }, []string{"Steps[0].URL"}},
		{"two bodies", func(c *login.Config) { c.Steps[0].JSON, c.Steps[0].XML = 1, "<a/>" }, []string{"Steps[0]"}},
		{"K-19 a GET with a body", func(c *login.Config) {
			c.Steps[0].Method, c.Steps[0].JSON = "GET", 1
		}, []string{"Steps[0]"}},
		{"K-19 a method that is none", func(c *login.Config) { c.Steps[0].Method = "get" }, []string{"Steps[0].Method"}},
		{"a base URL with a query", func(c *login.Config) { c.BaseURL += "/?a=1" }, []string{"BaseURL"}},
		{"a base URL with a password", func(c *login.Config) { c.BaseURL = "https://u:p@h" }, []string{"BaseURL"}},
		{"a base URL in the clear", func(c *login.Config) { c.BaseURL = "http://h.test" }, []string{"BaseURL"}},
		{"a base URL on this machine", func(c *login.Config) { c.BaseURL = "http://127.0.0.1:8080" }, nil},
		{"a base URL with a name", func(c *login.Config) {
			c.BaseURL, c.Params = "https://{{t}}.h.test", map[string]string{"t": "acme"}
		}, nil},
		{"a reserved name", func(c *login.Config) { c.Params = map[string]string{"token": "x"} }, []string{"Params"}},
		{"a provider that is nil", func(c *login.Config) {
			c.Secrets = map[string]secrets.Provider{"a": nil}
		}, []string{`Secrets["a"]`}},
		{"a refresh token that nobody uses", func(c *login.Config) { c.Refresh = "body.r" }, []string{"Refresh"}},
		{"a renewal without the token", func(c *login.Config) { c.Renew = []login.Step{{Path: "/r"}} }, []string{"Renew"}},
		{"refusals of no renewal", func(c *login.Config) { c.RenewRefused = []int{400} }, []string{"RenewRefused"}},
		{"a start that nobody uses", func(c *login.Config) { c.Start = short() }, []string{"Start"}},
		{"a form of numbers without an expiry", func(c *login.Config) {
			c.ExpiryForm = login.ExpiryMinutes
		}, []string{"ExpiryForm"}},
		{"a token and cookies", func(c *login.Config) { c.AllCookies = true }, []string{"Token"}},
		{"two lists of cookies", func(c *login.Config) {
			c.Token, c.AllCookies, c.Cookies = "", true, []string{"a"}
		}, []string{"Cookies"}},
		{"Basic beside Authorization", func(c *login.Config) {
			c.Steps[0].Basic, c.Steps[0].Header = &login.Basic{User: "a"}, login.Fields("authorization", "x")
		}, []string{"Steps[0].Header[0]"}},
		{"K-24 two Content-Types", func(c *login.Config) {
			c.Steps[0].Header = login.Fields("Content-Type", "a/b", "content-type", "c/d")
		}, []string{"Steps[0].Header[1]"}},
		{"all faults at once", func(c *login.Config) {
			c.BaseURL, c.Token, c.NeverExpires, c.MinAge, c.Lifetime = "ftp://h", "body[", false, -1, -time.Second
			c.Steps[0].Method, c.Steps[0].Save = "X", map[string]string{"refresh": "body.", "a": ""}
		}, []string{
			"BaseURL", "Lifetime", "MinAge", "Steps[0].Method", `Steps[0].Save["a"]`, "Steps[0].Save",
			`Steps[0].Save["refresh"]`, "Token",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			tt.change(&cfg)
			err := login.New(cfg).(auth.Validator).Validate()
			got := fields(err)
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("faults of %q, want %q: %v", got, tt.want, err)
			}
		})
	}
}

// The configuration is taken as it was when the login was made.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{Path: "/{{a}}"})
	cfg.Params = map[string]string{"a": "1"}
	cfg.Endpoint.Client = &http.Client{Transport: answering(`{"access_token":"t1"}`)}
	g := login.New(cfg)
	delete(cfg.Params, "a")
	cfg.Steps[0].Path = ""
	if token, err := g.Obtain(t.Context(), nil); err != nil || token.Value.Reveal() != "t1" {
		t.Errorf("the login has changed with the configuration: %v", err)
	}
}
