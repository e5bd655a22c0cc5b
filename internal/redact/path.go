package redact

import "context"

type pathKey struct{}

// WithPath returns a context for a request whose path holds a secret: path is what is shown in its place.
func WithPath(ctx context.Context, path string) context.Context {
	if path == "" {
		return ctx
	}
	return context.WithValue(ctx, pathKey{}, path)
}

// Path returns what WithPath was given.
func Path(ctx context.Context) string {
	path, _ := ctx.Value(pathKey{}).(string)
	return path
}
