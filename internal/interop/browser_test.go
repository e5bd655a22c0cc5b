package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
	"golang.org/x/net/html"

	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/internal/wait"
)

// browser is what a user logs in with. Each has cookies of its own.
type browser interface {
	// login opens a URL that leads to the provider, answers the questions that are asked there, and returns where the
	// provider sends the browser in the end, or the last of its pages.
	login(ctx context.Context, target, user string) (*url.URL, error)
}

// forms is a browser that knows links, redirects, cookies and forms. What is not at the provider it does not open.
type forms struct {
	client   *http.Client
	provider string            // its origin
	fields   map[string]string // what else is typed into fields, by their names
	refuses  bool              // the user refuses what the provider asks
	refused  bool              // and has done so
	text     string            // of the last page
	logins   int               // how often a password was asked for
	posted   url.Values        // what the provider has it post elsewhere; nil for nothing
}

// newForms returns a browser for users of a provider.
func newForms(t *testing.T, provider *servers.Server) *forms {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := plainClient(t)
	client.Jar = jar
	return &forms{client: client, provider: provider.URL, fields: map[string]string{}}
}

// login implements [browser].
func (b *forms) login(ctx context.Context, target, user string) (*url.URL, error) {
	b.fields["login"], b.fields["password"], b.posted = user, "any", nil
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for range 20 {
		if err != nil {
			return nil, err
		}
		if req.URL.Scheme+"://"+req.URL.Host != b.provider {
			if err = req.ParseForm(); req.Method == http.MethodPost {
				b.posted = req.PostForm
			}
			return req.URL, err
		}
		next, fault := b.open(req)
		if errors.Is(fault, errLastPage) {
			return req.URL, nil
		}
		req, err = next, fault
	}
	return nil, errors.New("the login has no end")
}

// errLastPage says that nothing is asked any more.
var errLastPage = errors.New("the last page")

// open sends a request, and returns the one that follows from its answer.
func (b *forms) open(req *http.Request) (*http.Request, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	ctx := req.Context()
	if to, err := resp.Location(); err == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	b.text = string(text)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", req.URL.Path, resp.Status, text)
	}
	if b.refused {
		return nil, errLastPage
	}
	action, values, cancel := b.page(string(text))
	if b.refuses && cancel != "" {
		b.refused = true
		return b.to(ctx, req.URL, http.MethodGet, cancel, nil)
	}
	if action == "" {
		return nil, errLastPage
	}
	return b.to(ctx, req.URL, http.MethodPost, action, values)
}

// to returns a request for where a page leads.
func (b *forms) to(
	ctx context.Context, from *url.URL, method, ref string, values url.Values,
) (*http.Request, error) {
	to, err := from.Parse(ref)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(values.Encode()))
	if err == nil && method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

// page reads a page: where its form goes, what the fields of that hold after they are filled in, and the link that
// ends the login.
func (b *forms) page(text string) (action string, values url.Values, cancel string) {
	values = url.Values{}
	tokens := html.NewTokenizer(strings.NewReader(text))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		token := tokens.Token()
		attr := make(map[string]string)
		for _, a := range token.Attr {
			attr[a.Key] = a.Val
		}
		switch name := attr["name"]; token.Data {
		case "form":
			if kind == html.StartTagToken {
				action = attr["action"]
			}
		case "a":
			if strings.HasSuffix(attr["href"], "/abort") {
				cancel = attr["href"]
			}
		case "button":
			if name != "" && b.refuses {
				b.refused = true
				values.Set(name, attr["value"])
			}
		case "input":
			if typed, ok := b.fields[name]; ok {
				attr["value"] = typed
			}
			values.Set(name, attr["value"])
			if name == "password" {
				b.logins++
			}
		}
	}
	return action, values, cancel
}

// chromium is a private window of Chromium. It opens what it is sent to.
type chromium struct {
	window   context.Context
	provider string // its origin
}

// newChromium opens a window for a user of a provider, which is closed after the test.
func newChromium(t *testing.T, provider *servers.Server) *chromium {
	t.Helper()
	ctx, done := remote.NewAllocator(context.Background(), server(t, servers.Chromium).URL)
	t.Cleanup(done)
	shared, done := chromedp.NewContext(ctx)
	t.Cleanup(done)
	if err := chromedp.Do(shared); err != nil {
		t.Fatal("Chromium:", err)
	}
	window, done := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(done)
	if err := chromedp.Do(window); err != nil {
		t.Fatal("a window of Chromium:", err)
	}
	return &chromium{window: window, provider: provider.URL}
}

// answerForm fills in the form of a page of the provider, once, and returns where the browser is when it is elsewhere.
// A form that goes elsewhere submits itself.
const answerForm = `((provider, user) => {
	if (document.readyState !== 'complete' || window.answered) return '';
	if (location.origin !== provider) return location.href;
	const form = document.forms[0];
	if (!form || new URL(form.action).origin !== provider) return '';
	if (form.login) { form.login.value = user; form.password.value = 'any'; }
	window.answered = true;
	form.requestSubmit();
	return '';
})(%q, %q)`

// login implements [browser].
func (b *chromium) login(ctx context.Context, target, user string) (*url.URL, error) {
	window, done := b.during(ctx)
	defer done()
	if err := chromedp.Do(window, chromedp.Navigate(target)); err != nil {
		return nil, err
	}
	for {
		where, err := b.script(ctx, fmt.Sprintf(answerForm, b.provider, user))
		if err == nil && where != "" {
			return url.Parse(where)
		}
		// A page that goes away takes its scripts along.
		if ended := wait.For(ctx, 20*time.Millisecond); ended != nil {
			return nil, errors.Join(ended, err)
		}
	}
}

// script returns the value of an expression in the page.
func (b *chromium) script(ctx context.Context, expression string) (string, error) {
	window, done := b.during(ctx)
	defer done()
	return chromedp.Run(window, chromedp.Evaluate[string](expression))
}

// during returns the context of the window, until ctx ends as well.
func (b *chromium) during(ctx context.Context) (context.Context, context.CancelFunc) {
	window, cancel := context.WithCancel(b.window)
	stop := context.AfterFunc(ctx, cancel)
	return window, func() {
		stop()
		cancel()
	}
}
