package connection

import (
	"crypto/tls"
	"testing"
)

// A server cannot be made to ask for a renegotiation: crypto/tls has no way to.
func TestTLSConfigInternal(t *testing.T) {
	t.Parallel()
	p := &pool{config: poolConfig{version: HTTP2Preferred}, timeouts: defaultTimeouts()}
	for n := range lanes {
		key := laneKey{home: n&1 != 0, own: n&2 != 0, token: n&4 != 0, insecure: n&8 != 0}
		if key.index() != n {
			t.Errorf("index of %+v is %d, want %d", key, key.index(), n)
		}
		cfg := newLane(&generation{pool: p}, key, nil).secure
		if cfg.Renegotiation != tls.RenegotiateNever {
			t.Error("B10 the server may renegotiate")
		}
		if cfg.MinVersion != tls.VersionTLS12 || cfg.ClientSessionCache != nil || cfg.KeyLogWriter != nil {
			t.Errorf("B4 B10 B14 the configuration is %+v", cfg)
		}
		if cfg.InsecureSkipVerify != key.insecure {
			t.Errorf("B2 %+v has InsecureSkipVerify %t", key, cfg.InsecureSkipVerify)
		}
	}
}
