package request

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/restconn/restconn/internal/disposition"
)

// DownloadOption changes how [Download] and [DownloadInto] work. All are checked before anything is sent; of two that
// set the same thing the last one counts. An option can be used for any number of downloads, also at the same time.
type DownloadOption interface {
	// String names the option.
	String() string
	apply(o *downloadSettings) error
}

// downloadSettings is what the options of one download have set.
type downloadSettings struct {
	digest      hash.Hash // nil: no checksum is wanted
	sum         []byte
	progress    func(Progress)
	most        int64
	resumes     int
	defaultName string
	overwrite   bool
	into        string // the name of an option that is for DownloadInto only
}

const (
	defaultMaxDownload = 16 << 30
	defaultResumes     = 5
)

func downloadSettingsOf(options []DownloadOption) (downloadSettings, error) {
	o := downloadSettings{most: defaultMaxDownload, resumes: defaultResumes}
	err := applyAll(&o, options)
	return o, err
}

// Checksum compares the file with sum, in hexadecimal digits. A file that differs is a [*ChecksumError], and is not
// kept. The default is to compare nothing.
//
//	request.Checksum(sha256.New, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
func Checksum(newHash func() hash.Hash, sum string) DownloadOption {
	return option[downloadSettings]{"Checksum", func(o *downloadSettings) error {
		if newHash == nil {
			return errors.New("the function is nil")
		}
		digest := newHash()
		if digest == nil {
			return errors.New("the function returned nil")
		}
		want, err := hex.DecodeString(sum)
		if err != nil {
			return errors.New("the sum is not made of pairs of hexadecimal digits and nothing else")
		}
		if len(want) != digest.Size() {
			return fmt.Errorf("the sum has %d bytes, and those of the hash have %d", len(want), digest.Size())
		}
		o.digest, o.sum = digest, want
		return nil
	}}
}

// DownloadProgress calls f when a response begins and after each write, in the goroutine of the caller. Done is the
// number of bytes in the file, Total what it will be, or -1 if the server has not said, and Attempt the number of the
// request, from 1. Done falls back to 0 where the file is begun anew.
func DownloadProgress(f func(Progress)) DownloadOption {
	return option[downloadSettings]{"DownloadProgress", func(o *downloadSettings) error {
		if f == nil {
			return errors.New("the function is nil")
		}
		o.progress = f
		return nil
	}}
}

// MaxDownload limits the size of the file to n bytes. The default is 16 GiB. A file that is larger is
// [ErrDownloadTooLarge], before it is read if the server has said how long it is.
func MaxDownload(n int64) DownloadOption {
	return option[downloadSettings]{"MaxDownload", func(o *downloadSettings) error {
		if n <= 0 {
			return errors.New("the limit is not positive")
		}
		o.most = n
		return nil
	}}
}

// Resumes sets how often a download whose transfer broke off is resumed or begun anew. The default is 5; 0 means never.
//
// A request that failed to resume counts, and is followed by another after an error of the transport but for that of a
// certificate, a timeout, a 5xx or a 429; any other status ends the download. The next request is sent at once if the
// last one has brought bytes. If not, it waits: 500 ms at first and twice as long each time, at most 30 s, with up to a
// fifth added at random, and at least as long as a Retry-After of up to a minute asks for. The retry policy of the
// connection applies to each of these requests as well.
func Resumes(n int) DownloadOption {
	return option[downloadSettings]{"Resumes", func(o *downloadSettings) error {
		if n < 0 {
			return errors.New("the number is negative")
		}
		o.resumes = n
		return nil
	}}
}

// DefaultName is the name of the file where the response does not give one. It is for [DownloadInto] only, and has to
// be a plain file name on every operating system. Without it such a response is an error.
func DefaultName(name string) DownloadOption {
	return option[downloadSettings]{"DefaultName", func(o *downloadSettings) error {
		if name == "" || disposition.Clean(name) != name {
			return fmt.Errorf("%q is not a plain file name on every operating system", name)
		}
		o.defaultName, o.into = name, "DefaultName"
		return nil
	}}
}

// Overwrite lets [DownloadInto] replace a file that has the name already. A symbolic link is replaced and not followed;
// a directory or a device is an error all the same. [Download] always does so.
func Overwrite() DownloadOption {
	return option[downloadSettings]{"Overwrite", func(o *downloadSettings) error {
		o.overwrite, o.into = true, "Overwrite"
		return nil
	}}
}
