package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// All returns an Authenticator that applies several in order, such as an API key beside a bearer token. The first
// error ends it.
//
// An empty list, a nil member, and two built-in members that write the same header, query parameter or cookie are
// reported by [Validate]. What the members can do beyond Authenticate is found through All, see [Find].
func All(members ...Authenticator) Authenticator {
	return &all{members: slices.Clone(members)}
}

type all struct {
	members []Authenticator
	closers []io.Closer // of the members that Bind made
}

var errNoMembers = errors.New("no members; auth.None() stands for no credential")

// Authenticate implements [Authenticator].
func (a *all) Authenticate(req *http.Request) error {
	if len(a.members) == 0 {
		return fail("all", errNoMembers)
	}
	for _, member := range a.members {
		if member == nil {
			return fail("all", errNilAuthenticator)
		}
		if err := member.Authenticate(req); err != nil {
			return fail("all", err)
		}
	}
	return nil
}

// Unwrap returns the members.
func (a *all) Unwrap() []Authenticator { return slices.Clone(a.members) }

// Validate implements [Validator], for the members as well.
func (a *all) Validate() error {
	var faults []error
	if len(a.members) == 0 {
		faults = append(faults, errNoMembers)
	}
	var written []place
	for i, member := range a.members {
		if member == nil {
			faults = append(faults, fmt.Errorf("member %d: %w", i, errNilAuthenticator))
			continue
		}
		faults = append(faults, Validate(member))
		places := placesOf(member)
		for _, p := range places {
			if slices.ContainsFunc(written, p.same) {
				faults = append(faults, fmt.Errorf("member %d writes the same %v as one before it", i, p))
			}
		}
		written = append(written, places...)
	}
	return failAll("all", faults...)
}

// Bind implements [Binder]: it binds every Binder among the members.
func (a *all) Bind(host Host) (Authenticator, error) {
	bound := &all{members: slices.Clone(a.members)}
	for i, member := range a.members {
		b, err := Bind(member, host)
		if err != nil {
			return nil, errors.Join(err, bound.Close())
		}
		bound.members[i] = b
		if _, ok := member.(Binder); !ok {
			continue
		}
		if c, ok := b.(io.Closer); ok {
			bound.closers = append(bound.closers, c)
		}
	}
	return bound, nil
}

// Close closes what Bind made.
func (a *all) Close() error {
	var faults []error
	for _, c := range a.closers {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

// String implements [fmt.Stringer].
func (a *all) String() string {
	text := make([]string, len(a.members))
	for i, member := range a.members {
		text[i] = fmt.Sprintf("%T", member)
		if s, ok := member.(fmt.Stringer); ok {
			text[i] = s.String()
		}
	}
	return "All(" + strings.Join(text, ", ") + ")"
}

// Format implements [fmt.Formatter], so that no verb reaches the members.
func (a *all) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// Headers returns the canonical names of the headers that the built-in Authenticators among a write. A connection
// refuses a constant header of the same name: it would keep the credential from being sent.
func Headers(a Authenticator) []string {
	var names []string
	for _, p := range placesOf(a) {
		if p.in == inHeader {
			names = append(names, p.name)
		}
	}
	return names
}

// placesOf returns where a is known to write.
func placesOf(a Authenticator) []place {
	switch a := a.(type) {
	case *basic:
		return []place{a.place}
	case *apiKey:
		return []place{a.place}
	case *bearer:
		return []place{a.place}
	default:
		var places []place
		for _, inner := range unwrap(a) {
			places = append(places, placesOf(inner)...)
		}
		return places
	}
}
