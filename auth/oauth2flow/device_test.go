package oauth2flow_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
)

// deviceServer answers at /device with members, and at /token with the answers in turn.
type deviceServer struct {
	*connectiontest.Server

	polled []time.Time
}

func serveDevice(t *testing.T, members object, answers ...http.Handler) *deviceServer {
	t.Helper()
	s := new(deviceServer)
	tokens := connectiontest.Sequence(answers...)
	s.Server = connectiontest.NewNetwork(t).Serve("https://auth.example.test", http.HandlerFunc(
		func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/device" {
				connectiontest.JSON(200, members).ServeHTTP(w, req)
				return
			}
			s.polled = append(s.polled, time.Now())
			tokens.ServeHTTP(w, req)
		}))
	return s
}

func deviceAnswer(changes ...any) object {
	o := object{
		"device_code": "d-1", "user_code": "WDJB-MJHT", "verification_uri": "https://idp.example.test/device",
		"expires_in": 600,
	}
	for i := 0; i < len(changes); i += 2 {
		name, _ := changes[i].(string)
		if o[name] = changes[i+1]; changes[i+1] == nil {
			delete(o, name)
		}
	}
	return o
}

func oauthError(code string) connectiontest.Reply {
	return connectiontest.JSON(400, object{"error": code})
}

func TestDeviceCode(t *testing.T) {
	t.Parallel()
	pending, slower := oauthError("authorization_pending"), oauthError("slow_down")
	for name, c := range map[string]struct {
		members object
		answers []http.Handler
		waits   []time.Duration // before each poll
		code    string          // of the error
		is      error
	}{
		"F17 the user logs in at the third poll": {
			deviceAnswer(), []http.Handler{pending, pending, issued}, []time.Duration{5e9, 5e9, 5e9}, "", nil,
		},
		"F17 the interval of the server": {
			deviceAnswer("interval", 7), []http.Handler{pending, issued}, []time.Duration{7e9, 7e9}, "", nil,
		},
		"F17 slow_down adds five seconds each time": {
			deviceAnswer("interval", 2), []http.Handler{slower, pending, slower, issued},
			[]time.Duration{2e9, 7e9, 7e9, 12e9}, "", nil,
		},
		"F17 an interval of 0 is a second": {
			deviceAnswer("interval", 0), []http.Handler{pending, issued}, []time.Duration{1e9, 1e9}, "", nil,
		},
		"F17 an interval of 1e9 is a minute": {
			deviceAnswer("interval", 1e9), []http.Handler{issued}, []time.Duration{60e9}, "", nil,
		},
		"F17 a fault of the server doubles the wait": {
			deviceAnswer(), []http.Handler{connectiontest.Status(503), connectiontest.Cut(), issued},
			[]time.Duration{5e9, 10e9, 20e9}, "", nil,
		},
		"F17 a gateway that is busy does not end it": {
			deviceAnswer(), []http.Handler{
				connectiontest.Status(429).Header("Retry-After", "30"), oauthError("temporarily_unavailable"), issued,
			}, []time.Duration{5e9, 30e9, 20e9}, "", nil,
		},
		"F17 a call that hangs takes half a minute": {
			deviceAnswer("expires_in", 1800), []http.Handler{issued.Delay(time.Hour), issued},
			[]time.Duration{5e9, 40e9}, "", nil,
		},
		"F17 a refusal ends it": {
			deviceAnswer(), []http.Handler{pending, oauthError("access_denied")}, []time.Duration{5e9, 5e9},
			"access_denied", nil,
		},
		"F17 an interval as long as the code lasts is one poll, shortly before the end": {
			deviceAnswer("interval", 30, "expires_in", 30), []http.Handler{issued}, []time.Duration{28e9}, "", nil,
		},
		"F17 an interval longer than the code lasts": {
			deviceAnswer("interval", 60, "expires_in", 3), []http.Handler{pending}, []time.Duration{15e8}, "",
			context.DeadlineExceeded,
		},
		"F17 the end of the code ends it": {
			deviceAnswer("expires_in", 12), []http.Handler{pending}, []time.Duration{5e9, 5e9}, "",
			context.DeadlineExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serveDevice(t, c.members, c.answers...)
				device := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device")
				login, err := device.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if login.UserCode != "WDJB-MJHT" || login.VerificationURI != "https://idp.example.test/device" {
					t.Errorf("the user is told %+v", login)
				}
				began := time.Now()
				token, err := device.Wait(t.Context(), login)
				switch e, ok := errors.AsType[*oauth2flow.Error](err); {
				case c.is != nil:
					if !errors.Is(err, c.is) {
						t.Errorf("error %v, want %v", err, c.is)
					}
				case c.code != "":
					if !ok || e.Code != c.code {
						t.Errorf("error %v, want %s", err, c.code)
					}
				case err != nil || token.Value.Reveal() != "t1":
					t.Errorf("the login failed: %v", err)
				}
				at := began
				for i, d := range c.waits {
					at = at.Add(d)
					if i >= len(s.polled) || !s.polled[i].Equal(at) {
						t.Fatalf("polled at %v, want poll %d at %v", s.polled, i+1, at)
					}
				}
				if len(s.polled) != len(c.waits) {
					t.Errorf("%d polls, want %d", len(s.polled), len(c.waits))
				}
				got, err := url.ParseQuery(string(s.Requests()[1].Body))
				if err != nil || got.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" ||
					got.Get("device_code") != "d-1" || got.Get("client_id") != "cid" {
					t.Errorf("the poll is %v", got)
				}
			})
		})
	}
}

func TestDeviceCodeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveDevice(t, deviceAnswer(), oauthError("authorization_pending"), issued)
		device := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device")
		login, err := device.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var refused int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := device.Wait(t.Context(), login); errors.Is(err, oauth2flow.ErrDeviceWait) {
					mu.Lock()
					defer mu.Unlock()
					refused++
				}
			})
		}
		all.Wait()
		if refused != 9 || len(s.polled) != 2 {
			t.Errorf("F17 %d were refused, and there were %d polls", refused, len(s.polled))
		}
	})
}

func TestDeviceCodeRefuses(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]object{
		"no device code":            deviceAnswer("device_code", nil),
		"no user code":              deviceAnswer("user_code", nil),
		"a user code in colours":    deviceAnswer("user_code", "\x1b[31mX"),
		"a page that is a script":   deviceAnswer("verification_uri", "javascript:x"),
		"a page over http":          deviceAnswer("verification_uri", "http://idp.test/"),
		"a code that ends at once":  deviceAnswer("expires_in", 0),
		"a code that never ends":    deviceAnswer("expires_in", nil),
		"a whole page that is none": deviceAnswer("verification_uri_complete", "ftp://x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveDevice(t, members, issued)
			_, err := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device").Begin(t.Context())
			if _, ok := errors.AsType[*oauth2flow.AnswerError](err); !ok {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("a login of another grant is none of this one", func(t *testing.T) {
		t.Parallel()
		a, b := serveDevice(t, deviceAnswer(), issued), serve(t)
		login, err := oauth2flow.NewDeviceCode(clientOf(a.Server), a.URL+"/device").Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other := oauth2flow.NewDeviceCode(clientOf(b, func(c *client) { c.ID = "other" }), b.URL+"/device")
		if _, err := other.Wait(t.Context(), login); !errors.Is(err, oauth2flow.ErrDeviceWait) || len(b.Requests()) > 0 {
			t.Errorf("error %v, and %d polls", err, len(b.Requests()))
		}
	})
	t.Run("without a login there is no token", func(t *testing.T) {
		t.Parallel()
		s := serveDevice(t, deviceAnswer(), issued)
		device := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device")
		if err := refused(t, device, nil); !errors.Is(err, auth.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
		if oauth2flow.NewDeviceCode(clientOf(s.Server), "http://auth.test/device").Validate() == nil {
			t.Error("S17 an endpoint over http is no fault")
		}
	})
}

func TestDeviceCodeOptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveDevice(t, deviceAnswer(), issued, connectiontest.JSON(200, object{"access_token": "t2", "scope": "read"}))
		device := oauth2flow.NewDeviceCode(clientOf(s.Server, func(c *client) {
			c.Scopes, c.RequireScopes = []string{"read"}, true
			c.Params = oauth2flow.NewParams("audience", "a", "acr_values", "low")
		}), s.URL+"/device")
		opts := []oauth2flow.LoginOption{
			oauth2flow.LoginStepUp(&auth.StepUpError{Scopes: []string{"write", "read"}, ACRValues: []string{"high"}}, nil),
			oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "none", "max_age", "9")),
			oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "login")),
			oauth2flow.LoginStepUp(&auth.StepUpError{HasMaxAge: true}, &auth.Token{Scopes: []string{"mail", "write"}}),
		}
		login, err := device.Begin(t.Context(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		want := "acr_values=high&audience=a&client_id=cid&client_secret=csec&max_age=0&prompt=login&scope=read+write+mail"
		equal(t, "device authorization request", string(s.Requests()[0].Body), want)
		token, err := device.Wait(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "S26 scopes", token.Scopes, []string{"read", "write", "mail"})
		if got := string(s.Requests()[1].Body); !strings.Contains(got, "audience=a") || strings.Contains(got, "prompt") {
			t.Errorf("the poll is %s", got)
		}
		if login, err = device.Begin(t.Context(), opts...); err != nil {
			t.Fatal(err)
		}
		_, err = device.Wait(t.Context(), login)
		is(t, err, oauth2flow.ErrScopes) // read alone is less than what was asked for
	})
	for name, opt := range map[string]oauth2flow.LoginOption{
		"LoginHint":   oauth2flow.LoginHint("ann"),
		"LoginReturn": oauth2flow.LoginReturn("/x"),
		"LoginParams": oauth2flow.LoginParams(oauth2flow.NewParams("client_id", "x")),
		"LoginScopes": oauth2flow.LoginScopes(""),
		"nil":         nil,
	} {
		t.Run("a fault: "+name, func(t *testing.T) {
			t.Parallel()
			s := serveDevice(t, deviceAnswer(), issued)
			_, err := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device").Begin(t.Context(), opt)
			if err == nil || !strings.Contains(err.Error(), name) || len(s.Requests()) > 0 {
				t.Errorf("error %v, and %d requests", err, len(s.Requests()))
			}
		})
	}
}

func TestDeviceCodeGoesTheWayOfItsConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveDevice(t, deviceAnswer(), issued)
		device := oauth2flow.NewDeviceCode(
			clientOf(s.Server, func(c *client) { c.Endpoint = auth.Endpoint{} }), s.URL+"/device")
		bound, err := device.BindGrant(auth.Host{Client: &http.Client{Transport: s.Network().Transport()}})
		if err != nil {
			t.Fatal(err)
		}
		login, err := device.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := device.Wait(t.Context(), login); err != nil {
			t.Error(err)
		}
		if err := bound.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
}
