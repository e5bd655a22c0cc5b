package redact

import "context"

type pathKey struct{}

// SecretPath is what is known of a path that holds secrets.
type SecretPath struct {
	// Shown stands in the place of the path; "" if the path holds none.
	Shown string
	// Secrets are what the path holds.
	Secrets []string
}

// WithPath returns a context for a request with such a path.
func WithPath(ctx context.Context, path SecretPath) context.Context {
	if path.Shown == "" {
		return ctx
	}
	return context.WithValue(ctx, pathKey{}, path)
}

// Path returns what WithPath was given.
func Path(ctx context.Context) SecretPath {
	path, _ := ctx.Value(pathKey{}).(SecretPath)
	return path
}
