package keystore

import "context"

// What a file may ask for. Real files are far below: a store of all public roots has 150 certificates and 200 KiB,
// and tools write between 1 and 600,000 iterations.
const (
	maxFile         = 4 << 20
	maxEntries      = 4096     // entries of a store, blocks of a PEM file
	maxCertificates = 2048     // in one file
	maxCertificate  = 64 << 10 // bytes of one
	maxParsed       = 1 << 20  // bytes of all that are parsed; parsed, hostile ones take 50 times as much
	maxKey          = 12 << 10 // bytes of one private key: RSA with 16384 bits has 9.3 KiB
	maxPEMKeys      = 16
	maxSalt         = 1 << 10
	maxContents     = 64        // parts of a PKCS#12
	maxAttributes   = 64        // of one entry of a PKCS#12
	maxOldContent   = 256 << 10 // bytes of all parts with the old encryption, which the library unpacks as they come
	maxIterations   = 5_000_000 // of one derivation
	maxScryptMemory = 32 << 20
	maxScryptLanes  = 16
	maxChain        = 16
	// totalFactor times the iterations of one derivation is what all derivations of one call may cost.
	totalFactor = 4
)

// budget is what the key derivations of one call may cost, in iterations.
type budget struct {
	most int64 // of one derivation
	left int64 // of all
	// over tells whether nobody waits any more.
	over func() error
}

func newBudget(ctx context.Context, most int64) *budget {
	return &budget{most: most, left: totalFactor * most, over: ctx.Err}
}

// check refuses a count that is beyond the limit of one derivation.
func (b *budget) check(iterations int64) error {
	if iterations < 1 || iterations > b.most {
		return because(ErrTooLarge, "%d iterations of key derivation, of at most %d", iterations, b.most)
	}
	return nil
}

// spend is asked before every derivation, for as many times as the iterations are run.
func (b *budget) spend(iterations, times int64) error {
	if err := firstOf(b.over(), b.check(iterations)); err != nil {
		return err
	}
	if b.left -= iterations * times; b.left < 0 {
		return because(ErrTooLarge, "more than %d iterations of key derivation in all", totalFactor*b.most)
	}
	return nil
}
