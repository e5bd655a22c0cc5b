package bench

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// handMargin is how long before its end a token is replaced that is kept by hand.
const handMargin = 10 * time.Second

// netHTTPTokens is the floor: a token behind a mutex, which whoever needs a new one holds until he has it.
type netHTTPTokens struct {
	obtain Obtain

	mu    sync.Mutex
	token Issued
}

func newNetHTTPTokens(obtain Obtain) TokenPeer { return &netHTTPTokens{obtain: obtain} }

func (p *netHTTPTokens) Prepare(ctx context.Context) (Carrier, error) {
	req, err := newTokenRequest(ctx)
	if err != nil {
		return Carrier{}, err
	}
	return Carrier{Header: req.Header, Authorize: func() error { return p.authorize(req) }}, nil
}

func (p *netHTTPTokens) authorize(req *http.Request) error {
	text, err := p.current(req.Context())
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+text)
	return nil
}

func (p *netHTTPTokens) current(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Until(p.token.Expiry) > handMargin {
		return p.token.Text, nil
	}
	token, err := p.obtain(ctx)
	if err != nil {
		return "", err
	}
	p.token = token
	return token.Text, nil
}

func (*netHTTPTokens) Close() {}
