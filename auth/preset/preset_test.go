package preset_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/preset"
	"github.com/restconn/restconn/secrets"
)

// customer returns a preset with a value for each of its parameters.
func customer(t *testing.T, name string) preset.Preset {
	t.Helper()
	p := lookup(t, name)
	for _, param := range p.Parameters() {
		p = p.With(param, "acme")
	}
	return p
}

func TestPresets(t *testing.T) {
	t.Parallel()
	names := preset.Names()
	if len(names) < 80 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("there are %d names, or they are not sorted, or one is there twice", len(names))
	}
	spelled := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !spelled.MatchString(name) {
				t.Error("the name is not in lower case")
			}
			p := customer(t, name)
			if err := p.Validate(); err != nil || p.Name() != name {
				t.Errorf("it is not valid: %v", err)
			}
			code := p.NewAuthorizationCode(client(nil), oauth2flow.Authorization{RedirectURI: redirectURI})
			if err := code.Validate(); err != nil {
				t.Errorf("its grant is not valid: %v", err)
			}
			public := p.NewAuthorizationCode(oauth2flow.Client{ID: "cid"}, oauth2flow.Authorization{})
			if err := public.Validate(); err != nil {
				t.Errorf("that of a public client is not valid: %v", err)
			}
			c, a := p.Client(client(nil)), p.Authorization(oauth2flow.Authorization{})
			for _, text := range append([]string{c.TokenURL, c.RefreshURL, c.RevocationURL, a.URL}, a.Servers...) {
				if !strings.HasPrefix(text, "https://") && text != "" || strings.ContainsAny(text, "{}") {
					t.Errorf("%q is no https URL", text)
				}
			}
		})
	}
}

// Templates stand for functions of x/oauth2.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values []string
		want   oauth2.Endpoint
	}{
		{"microsoft", []string{}, endpoints.AzureAD("")},
		{"microsoft", []string{"tenant", "contoso"}, endpoints.AzureAD("contoso")},
		{"microsoft", []string{"tenant", "contoso.example.com"}, endpoints.AzureAD("contoso.example.com")},
		{"microsoft-b2c", []string{"tenant", "acme", "policy", "B2C_1_in"}, endpoints.AzureADB2CEndpoint("acme", "B2C_1_in")},
		{"shopify", []string{"shop", "acme"}, endpoints.Shopify("acme.myshopify.com")},
		{"asgardeo", []string{"tenant", "acme"}, endpoints.AsgardeoEndpoint("acme")},
		{
			"amazon-cognito", []string{"domain", "acme", "region", "eu-west-1"},
			endpoints.AWSCognito("https://acme.auth.eu-west-1.amazoncognito.com"),
		},
		{"google", []string{}, endpoints.Google},
		{"salesforce", []string{}, oauth2.Endpoint{
			AuthURL:  "https://login.salesforce.com/services/oauth2/authorize",
			TokenURL: "https://login.salesforce.com/services/oauth2/token",
		}},
		{"salesforce", []string{"domain", "acme--uat.sandbox"}, oauth2.Endpoint{
			AuthURL:  "https://acme--uat.sandbox.my.salesforce.com/services/oauth2/authorize",
			TokenURL: "https://acme--uat.sandbox.my.salesforce.com/services/oauth2/token",
		}},
	} {
		t.Run(fmt.Sprint(tt.name, tt.values), func(t *testing.T) {
			t.Parallel()
			p := lookup(t, tt.name, tt.values...)
			equal(t, "token endpoint", p.Client(client(nil)).TokenURL, tt.want.TokenURL)
			equal(t, "authorization endpoint", p.Authorization(oauth2flow.Authorization{}).URL, tt.want.AuthURL)
			device := p.NewDeviceCode(client(nil)).Validate()
			equal(t, "there is a device grant", device == nil, tt.want.DeviceAuthURL != "")
		})
	}
}

// A value of a parameter leads nowhere else.
func TestParameterValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for kind, tt := range map[string]struct {
		name, param string
		good, bad   []string
	}{
		"a label": {
			"zendesk", "subdomain",
			[]string{"acme", "ACME-7", long[:63]},
			[]string{"acme.evil", "acme_x"},
		},
		"a host": {
			"microsoft", "tenant",
			[]string{"contoso", "contoso.example.com", "11112222-bbbb-3333-cccc-4444dddd5555"},
			[]string{".", "..", "a..b", "a.", ".a", strings.Repeat("a.", 100) + "a"},
		},
		"a segment": {
			"microsoft-b2c", "policy",
			[]string{"B2C_1_in", "b2c-1"},
			[]string{"a.b", ".."},
		},
	} {
		always := []string{
			"", " ", "a b", "a/b", "a@b", "a:443", "a?b", "a#b", "a%2fb", "a\\b", "a\nb", "ä", "{tenant}", "evil.test/",
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, value := range tt.good {
				if err := customer(t, tt.name).With(tt.param, value).Validate(); err != nil {
					t.Errorf("%q: %v", value, err)
				}
			}
			for _, value := range slices.Concat(always, tt.bad) {
				refuses(t, customer(t, tt.name).With(tt.param, value), value)
			}
		})
	}
	for _, value := range []string{"-a", "a-", long} {
		refuses(t, lookup(t, "zendesk").With("subdomain", value), value)
	}
	refuses(t, lookup(t, "zendesk"), "")
	refuses(t, lookup(t, "google").With("tenant", "acme"), "")
	unknown, ok := preset.Lookup("gogle")
	equal(t, "there is one", ok, false)
	refuses(t, unknown, "")
	equal(t, "what it says", unknown.Validate().Error(), "preset: there is no such preset: Lookup has not found it")
}

// refuses asserts that a preset is not valid, fills in no URL, and shows no value.
func refuses(t *testing.T, p preset.Preset, value string) {
	t.Helper()
	err := p.Validate()
	if err == nil {
		t.Errorf("%v takes %q", p, value)
		return
	}
	if len(value) > 4 && strings.Contains(err.Error(), value) {
		t.Errorf("the error shows the value: %v", err)
	}
	c := p.Client(client(nil))
	equal(t, "URLs", []string{c.TokenURL, c.RefreshURL, c.RevocationURL}, []string{"", "", ""})
	code := p.NewAuthorizationCode(client(nil), oauth2flow.Authorization{RedirectURI: redirectURI})
	public := oauth2flow.Client{ID: "cid", TokenURL: "https://own.test/token"}
	for _, fault := range []error{
		code.Validate(), p.NewDeviceCode(client(nil)).Validate(), p.NewDeviceCode(public).Validate(),
		p.NewAuthorizationCode(public, oauth2flow.Authorization{URL: "https://own.test/authorize"}).Validate(),
		oauth2flow.ClientCredentials(p.Client(public)).(auth.Validator).Validate(),
	} {
		if fault == nil || !strings.Contains(fault.Error(), err.Error()) {
			t.Errorf("%v with %q makes a grant that does not say so: %v", p, value, fault)
		}
	}
}

func TestWithChangesNothing(t *testing.T) {
	t.Parallel()
	p := lookup(t, "zendesk", "subdomain", "acme")
	_ = p.With("subdomain", "other")
	equal(t, "token endpoint", p.Client(client(nil)).TokenURL, "https://acme.zendesk.com/oauth/tokens")
	equal(t, "the last counts", p.With("subdomain", "-").With("subdomain", "b").Client(client(nil)).TokenURL,
		"https://b.zendesk.com/oauth/tokens")
	p.Parameters()[0] = "x"
	equal(t, "parameters", p.Parameters(), []string{"subdomain"})
	shown := strings.TrimSpace(strings.Repeat(`preset "zendesk" `, 4))
	equal(t, "shown", fmt.Sprintf("%v %+v %#v %s", p, p, p, p), shown)
	a := lookup(t, "google").Authorization(oauth2flow.Authorization{})
	a.Params[0].Value = "online"
	equal(t, "parameters of a login", lookup(t, "google").Authorization(oauth2flow.Authorization{}).Params,
		oauth2flow.NewParams("access_type", "offline", "prompt", "consent"))
	c := lookup(t, "tiktok").Client(client(nil))
	c.Names["client_id"] = "x"
	equal(t, "names", lookup(t, "tiktok").Client(client(nil)).Names, map[string]string{"client_id": "client_key"})
}

// What the caller has set stays, and the rest is filled in.
func TestFill(t *testing.T) {
	t.Parallel()
	given := oauth2flow.Client{
		ID: "cid", Secret: secrets.Static("csec"), Auth: oauth2flow.InBody(), TokenURL: "https://own.test/token",
		ScopeSeparator: " ", AcceptTokenTypes: []string{"own"},
		Names: map[string]string{"client_id": "own_id"}, Params: oauth2flow.NewParams("own", "1"),
	}
	c := lookup(t, "slack").Client(given)
	equal(t, "client authentication", c.Auth.String(), oauth2flow.InBody().String())
	equal(t, "texts", []string{c.TokenURL, c.ScopeSeparator, c.AcceptTokenTypes[0]}, []string{given.TokenURL, " ", "own"})
	c = lookup(t, "tiktok-ads").Client(given)
	equal(t, "names", []string{c.Names["client_id"], c.Names["client_secret"]}, []string{"own_id", "secret"})
	equal(t, "a name that is left out", c.Names["grant_type"], "")
	equal(t, "parameters", c.Params, given.Params)
	equal(t, "encoding", c.Encoding, oauth2flow.JSON)

	a := lookup(t, "google").Authorization(oauth2flow.Authorization{
		URL: "https://own.test/authorize", Params: oauth2flow.NewParams("prompt", "none"),
	})
	equal(t, "URL", a.URL, "https://own.test/authorize")
	equal(t, "parameters of a login", a.Params, oauth2flow.NewParams("prompt", "none", "access_type", "offline"))
	a = lookup(t, "zoho").Authorization(oauth2flow.Authorization{
		ServerParam: "region", Servers: []string{"https://a.test"},
	})
	equal(t, "servers", append(a.Servers, a.ServerParam), []string{"https://a.test", "region"})
	a = lookup(t, "quickbooks").Authorization(oauth2flow.Authorization{Keep: []string{"x", "realmId"}})
	equal(t, "what is kept", a.Keep, []string{"x", "realmId"})
	a = lookup(t, "linkedin").Authorization(oauth2flow.Authorization{PKCE: oauth2flow.PKCEPlain})
	equal(t, "PKCE", a.PKCE, oauth2flow.PKCEPlain)
}

// Tokens of a server of the caller's own stay there.
func TestFillOwnServer(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		c := customer(t, name).Client(oauth2flow.Client{TokenURL: "https://own.test/token"})
		equal(t, name, []string{c.TokenURL, c.RefreshURL, c.RevocationURL}, []string{"https://own.test/token", "", ""})
	}
}

// S23 how a client authenticates is set, and is none that it has no means for.
func TestFillClientAuth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		client     oauth2flow.Client
	}{
		{"reddit", oauth2flow.InHeader().String(), client(nil)},
		{"reddit", oauth2flow.ClientAuth{}.String(), oauth2flow.Client{ID: "cid"}},
		{"reddit", oauth2flow.InHeaderRaw().String(), oauth2flow.Client{
			Secret: secrets.Static("s"), Auth: oauth2flow.InHeaderRaw(),
		}},
		{"google", oauth2flow.ClientAuth{}.String(), client(nil)},
	} {
		equal(t, tt.name, lookup(t, tt.name).Client(tt.client).Auth.String(), tt.want)
	}
}

// A client without a secret keeps PKCE, whatever the service wants of others.
func TestPublicClientKeepsPKCE(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]oauth2flow.Client{
		"no secret": {ID: "cid"},
		"public":    {ID: "cid", Secret: secrets.Static("s"), Auth: oauth2flow.PublicClient()},
		"secret":    {ID: "cid", Secret: secrets.Static("s")},
		"mtls":      {ID: "cid", Auth: oauth2flow.TLSClientAuth()},
	} {
		code := lookup(t, "linkedin").NewAuthorizationCode(c, oauth2flow.Authorization{RedirectURI: redirectURI})
		login, err := code.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(login.URL)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, u.Query().Has("code_challenge"), name == "no secret" || name == "public")
	}
}
