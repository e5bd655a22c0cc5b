package browser_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth/browser"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// The test binary is xdg-open itself where it is called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "xdg-open" {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}

// What the opener that is played does, and where it notes what it was asked for.
const (
	envPlay = "RESTCONN_TEST_OPENER"
	envNote = "RESTCONN_TEST_NOTE"
)

// play is the opener.
func play() int {
	_, _ = os.Stdout.WriteString("noise of the opener\n")
	_, _ = os.Stderr.WriteString("noise of the opener\n")
	if err := os.WriteFile(os.Getenv(envNote), []byte(strings.Join(os.Args[1:], "\n")), 0o600); err != nil {
		return 1
	}
	switch os.Getenv(envPlay) {
	case "fails":
		return 3
	case "stays":
		time.Sleep(time.Minute) // it is ended long before that
	case "follows":
		return follow(os.Args[1])
	}
	return 0
}

// follow is a browser whose user allows everything: it goes back to the redirect URI, and on from there.
func follow(target string) int {
	u, err := url.Parse(target)
	if err != nil {
		return 1
	}
	q := u.Query()
	resp, err := http.Get(q.Get("redirect_uri") + "?" + url.Values{"code": {"c0de"}, "state": q["state"]}.Encode())
	if err != nil {
		return 1
	}
	_ = resp.Body.Close()
	return 0
}

// opener puts the test binary in the place of xdg-open, and returns what it was asked to open.
func opener(t *testing.T, part string) (opened func() string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("xdg-open is for Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "xdg-open")); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, "note")
	t.Setenv("PATH", dir)
	t.Setenv("DISPLAY", ":7")
	t.Setenv(envPlay, part)
	t.Setenv(envNote, note)
	return func() string {
		text, err := os.ReadFile(note)
		if errors.Is(err, os.ErrNotExist) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

const target = "https://login.example.test/authorize?client_id=a%20b&state=st-1"

// captured returns what f has written to the streams of the process.
func captured(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	f()
	os.Stdout, os.Stderr = out, errs
	_ = w.Close()
	text, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

//nolint:paralleltest // the environment and the streams of the process are changed
func TestOpen(t *testing.T) {
	t.Run("S16 the system's opener gets the URL, and its output goes nowhere", func(t *testing.T) {
		opened := opener(t, "")
		noise := captured(t, func() {
			if err := browser.Open(t.Context(), &oauth2flow.Login{URL: target}); err != nil {
				t.Error(err)
			}
		})
		if noise != "" {
			t.Errorf("it has written %q", noise)
		}
		if got := opened(); got != target {
			t.Errorf("opened %q, want %q", got, target)
		}
	})
	t.Run("characters that a shell would read are encoded", func(t *testing.T) {
		opened := opener(t, "")
		login := &oauth2flow.Login{URL: "https://login.example.test/a?x=1|calc^\"<>(`)&é=$y;'"}
		if err := browser.Open(t.Context(), login); err != nil {
			t.Error(err)
		}
		want := "https://login.example.test/a?x=1%7Ccalc%5E%22%3C%3E%28%60%29&%C3%A9=$y;'"
		if got := opened(); got != want {
			t.Errorf("opened %q, want %q", got, want)
		}
	})
	t.Run("variables of the shell of Windows are none", func(t *testing.T) {
		opened := opener(t, "")
		login := &oauth2flow.Login{URL: "https://login.example.test/a%20b?x=%USERNAME%&y=%2F%zz%4"}
		if err := browser.Open(t.Context(), login); err != nil {
			t.Error(err)
		}
		want := "https://login.example.test/a%20b?x=%25USERNAME%25&y=%2F%25zz%254"
		if got := opened(); got != want {
			t.Errorf("opened %q, want %q", got, want)
		}
	})
	t.Run("N-33 a private session is refused, and nothing is opened", func(t *testing.T) {
		opened := opener(t, "")
		err := browser.Open(t.Context(), &oauth2flow.Login{URL: target, PrivateSession: true})
		if !errors.Is(err, browser.ErrPrivateSession) || opened() != "" {
			t.Errorf("error %v, and opened %q", err, opened())
		}
	})
	for name, text := range map[string]string{
		"a script": "javascript:alert(1)", "a file": "file:///etc/passwd", "no host": "https:///x", "nothing": "",
		"an option": "--help", "a private-use scheme": "app://x/y", "lines": "https://x.test/\nrm",
		"quotes in a zone": "https://[::1%25%22%3E]/",
	} {
		t.Run("a URL that is none of the web: "+name, func(t *testing.T) {
			opened := opener(t, "")
			var shown strings.Builder
			for _, open := range []func(context.Context, *oauth2flow.Login) error{
				browser.Open, browser.OpenOrPrint(&shown),
			} {
				if err := open(t.Context(), &oauth2flow.Login{URL: text}); !errors.Is(err, browser.ErrURL) {
					t.Errorf("error %v", err)
				}
			}
			if opened() != "" || shown.Len() > 0 {
				t.Errorf("opened %q, and shown %q", opened(), shown.String())
			}
		})
	}
	t.Run("no login", func(t *testing.T) {
		if err := browser.Open(t.Context(), nil); !errors.Is(err, browser.ErrURL) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("an opener that fails is an error that does not show the URL", func(t *testing.T) {
		opener(t, "fails")
		err := browser.Open(t.Context(), &oauth2flow.Login{URL: target})
		if err == nil || strings.Contains(err.Error(), "st-1") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no opener", func(t *testing.T) {
		opener(t, "")
		t.Setenv("PATH", t.TempDir())
		if err := browser.Open(t.Context(), &oauth2flow.Login{URL: target}); !errors.Is(err, browser.ErrNoBrowser) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no display", func(t *testing.T) {
		opened := opener(t, "")
		for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} {
			t.Setenv(name, "")
		}
		err := browser.Open(t.Context(), &oauth2flow.Login{URL: target})
		if !errors.Is(err, browser.ErrNoBrowser) || opened() != "" {
			t.Errorf("error %v, and opened %q", err, opened())
		}
	})
	t.Run("an opener that stays as long as the browser ends with the context", func(t *testing.T) {
		opened := opener(t, "stays")
		ctx, cancel := context.WithCancel(t.Context())
		var shown strings.Builder
		done := make(chan error)
		go func() { done <- browser.OpenOrPrint(&shown)(ctx, &oauth2flow.Login{URL: target}) }()
		for opened() == "" {
			runtime.Gosched()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || shown.Len() > 0 {
			t.Errorf("error %v, and shown %q", err, shown.String())
		}
	})
}

//nolint:paralleltest // the environment is changed
func TestOpenOrPrint(t *testing.T) {
	printed := func(t *testing.T, login *oauth2flow.Login) string {
		t.Helper()
		var shown strings.Builder
		if err := browser.OpenOrPrint(&shown)(t.Context(), login); err != nil {
			t.Error(err)
		}
		return shown.String()
	}
	t.Run("what is opened is not printed", func(t *testing.T) {
		opened := opener(t, "")
		if got := printed(t, &oauth2flow.Login{URL: target}); got != "" || opened() != target {
			t.Errorf("shown %q, and opened %q", got, opened())
		}
	})
	t.Run("an opener that fails", func(t *testing.T) {
		opener(t, "fails")
		want := "Open this page in a browser to log in to Contoso:\n" + target + "\n"
		if got := printed(t, &oauth2flow.Login{URL: target, DisplayName: "Contoso"}); got != want {
			t.Errorf("shown %q, want %q", got, want)
		}
	})
	t.Run("N-33 a private session", func(t *testing.T) {
		opened := opener(t, "")
		want := "Open this page in a private window of a browser to log in:\n" + target + "\n"
		if got := printed(t, &oauth2flow.Login{URL: target, PrivateSession: true}); got != want || opened() != "" {
			t.Errorf("shown %q, want %q, and opened %q", got, want, opened())
		}
	})
	t.Run("a terminal that is closed", func(t *testing.T) {
		r, w := io.Pipe()
		_ = r.Close()
		err := browser.OpenOrPrint(w)(t.Context(), &oauth2flow.Login{URL: target, PrivateSession: true})
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("error %v", err)
		}
	})
}

//nolint:paralleltest // the environment is changed
func TestOpenInLoopback(t *testing.T) {
	opener(t, "follows")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"t1"}`)
	}))
	defer server.Close()
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: "cli", TokenURL: server.URL + "/token"},
		oauth2flow.Authorization{URL: server.URL + "/authorize"},
	)
	token, err := code.Loopback(t.Context(), oauth2flow.Loopback{Open: browser.Open})
	if err != nil || token.Value.Reveal() != "t1" {
		t.Errorf("the login failed: %v", err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
