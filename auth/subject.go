package auth

import "context"

type subjectKey struct{}

// WithSubject returns a context for calls on behalf of a user, a tenant or whoever else has tokens of his own. It is
// heeded by managers that were made [PerSubject], and by no others.
func WithSubject(ctx context.Context, subject string) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject)
}

// Subject returns what [WithSubject] has set; empty if nothing.
func Subject(ctx context.Context) string {
	s, _ := ctx.Value(subjectKey{}).(string)
	return s
}
