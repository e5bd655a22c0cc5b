package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"

	"github.com/restconn/restconn/internal/body"
)

// DefaultMaxBody is how many bytes of a body are held in memory to be signed, unless something else is said: 8 MiB.
const DefaultMaxBody = 8 << 20

// BodySum returns the hash of the body, which is read from its beginning in pieces of constant size, once per attempt
// and hash. A request without a body has the hash of nothing.
//
// Errors are [ErrBodyOnce], the cause of the context, and what opening and reading the body returns.
func (r *Request) BodySum(h Hash) ([]byte, error) {
	if sum, ok := r.sums[h]; ok {
		return bytes.Clone(sum), nil
	}
	if err := h.validate(); err != nil {
		return nil, err
	}
	hash := h.make()
	if err := r.copyBody(hash, math.MaxInt64-1); err != nil {
		return nil, err
	}
	if r.sums == nil {
		r.sums = make(map[Hash][]byte, 1)
	}
	r.sums[h] = hash.Sum(nil)
	return bytes.Clone(r.sums[h]), nil
}

// Body returns the body; empty if there is none. One that is longer than limit bytes is [ErrBodyTooLong]; a limit of 0
// or less is [DefaultMaxBody]. The other errors are those of [Request.BodySum].
func (r *Request) Body(limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	if r.request.ContentLength > limit {
		return nil, fmt.Errorf("%w (it has %d bytes, and the limit is %d)", ErrBodyTooLong, r.request.ContentLength, limit)
	}
	var text bytes.Buffer
	if err := r.copyBody(&text, limit); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// copyBody writes the body to w, up to the limit.
func (r *Request) copyBody(w io.Writer, limit int64) error {
	if !r.hasBody() {
		return nil
	}
	if r.request.GetBody == nil {
		return ErrBodyOnce
	}
	content, err := r.request.GetBody()
	if err != nil {
		return fmt.Errorf("open the body: %w", err)
	}
	if content == nil {
		return errors.New("open the body: there is none")
	}
	shut := sync.OnceFunc(func() { _ = content.Close() })
	defer shut()
	ctx := r.request.Context()
	defer context.AfterFunc(ctx, shut)() // a read that waits ends

	n, err := io.Copy(w, io.LimitReader(&source{ctx: ctx, Reader: content}, limit+1))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("read the body: %w", err)
	case n > limit:
		return fmt.Errorf("%w (the limit is %d bytes)", ErrBodyTooLong, limit)
	default:
		return nil
	}
}

func (r *Request) hasBody() bool { return r.request.Body != nil && r.request.Body != http.NoBody }

// source reads a body until the context ends, and gives up on one that neither brings anything nor ends.
type source struct {
	io.Reader
	ctx   context.Context //nolint:containedctx // it lives as long as the read
	empty body.EmptyReads
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.Reader.Read(p)
	if n < 0 || n > len(p) {
		return 0, errors.New("its reader returned an impossible count")
	}
	return n, s.empty.Count(n, err)
}
