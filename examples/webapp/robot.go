package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"

	"github.com/restconn/restconn/internal/testidp"
)

// robots are two users with a browser each.
func robots(ctx context.Context, out io.Writer, site string, s *service) error {
	ann, bob := newRobot(out, site, "ann"), newRobot(out, site, "bob")
	steps := []func(context.Context) error{
		ann.look, ann.signIn, ann.follow, // ann is first
		bob.signIn, bob.follow, // bob sees nothing of hers
		ann.add, ann.follow, ann.add, // to write, she has to allow more
		ann.disconnect,
		bob.look, // whose account is as it was
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "good tokens, that of bob and the one that ann had first:", s.idp.ActiveTokens())
	return nil
}

// robot is a user who clicks through the application, and through the authorization server.
type robot struct {
	out        io.Writer
	site, name string
	browser    *testidp.Browser
	link       string // on the page that it sees; "" if there is none
}

func newRobot(out io.Writer, site, name string) *robot {
	r := &robot{out: out, site: site, name: name, browser: testidp.NewBrowser(nil)}
	r.browser.Watch = func(form string) { fmt.Fprintf(out, "  %s fills in the form: %s\n", name, form) }
	return r
}

func (r *robot) look(ctx context.Context) error { return r.visit(ctx, "/") }

func (r *robot) signIn(ctx context.Context) error {
	return r.post(ctx, "/session", url.Values{"user": {r.name}})
}

// follow clicks on the link of the page.
func (r *robot) follow(ctx context.Context) error { return r.visit(ctx, r.link) }

func (r *robot) add(ctx context.Context) error {
	return r.post(ctx, "/notes", url.Values{"note": {"send a card"}})
}

func (r *robot) disconnect(ctx context.Context) error {
	return r.post(ctx, "/disconnect", url.Values{})
}

func (r *robot) visit(ctx context.Context, path string) error {
	page, err := r.browser.Visit(ctx, r.site+path, r.name, r.name)
	return r.tell("GET", path, page, err)
}

func (r *robot) post(ctx context.Context, path string, form url.Values) error {
	page, err := r.browser.Post(ctx, r.site+path, form)
	return r.tell("POST", path, page, err)
}

// tell prints the sentence that a page begins with, and keeps its link.
func (r *robot) tell(method, path string, page *testidp.Page, err error) error {
	if err != nil {
		return err
	}
	_, link, _ := strings.Cut(page.Body, `<a href="`)
	link, _, _ = strings.Cut(link, `"`)
	r.link = html.UnescapeString(link)
	_, text, _ := strings.Cut(page.Body, "<p>")
	text, _, _ = strings.Cut(text, "</p>")
	text = strings.TrimSpace(html.UnescapeString(text))
	fmt.Fprintf(r.out, "%s: %s %s: %d %s\n", r.name, method, path, page.Status, text)
	return nil
}
