package request

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"

	"github.com/restconn/restconn/internal/disposition"
	"github.com/restconn/restconn/internal/partfile"
)

// Download writes the body of a successful response to the file at path, and returns its size in bytes. The file
// appears whole or not at all: it is written under another name in the same directory, synced, and renamed, and the
// directory is synced where the system can. After an error what was at path is as it was, and nothing is left behind;
// if only that last step fails, the new file is in its place and there is an error all the same.
//
// A regular file at path is replaced, with its permissions: the new one is its owner's only (0600). A symbolic link is
// replaced and not followed. A directory or a device is an error before anything is sent.
//
// A 2xx carries a file, but for 204, 205 and a 206; every other response is a [*ResponseError], whatever
// [Builder.ExpectStatus] and [Builder.Check] say. The request asks for the bytes as they are (Accept-Encoding:
// identity), in the place of what the connection has under that name, and a content coding in the response is a
// [*DecodeError]. With an Accept-Encoding of its own the request gets the file in the coding in which it is sent.
//
// A GET without a body whose transfer breaks off is asked again for the rest (Range), if the response has a strong
// entity tag, or no entity tag and a Last-Modified that is old enough (RFC 9110, section 8.8.2.2), and the server has
// not said that it knows no ranges. If that is not so, if the file has changed, or if the answer does not fit to what
// is there, it is begun anew; with a Check, that function sees each of these responses. See [Resumes]. There is no
// limit on the time that all of it takes but ctx; on each wait for bytes there is the idle timeout.
//
// Options are [Checksum], [DownloadProgress], [MaxDownload] and [Resumes]. Errors are those of [Do], an [*Error] of
// [StageSave] where the file cannot be written, which holds the [*fs.PathError], and, in them, [*DownloadError],
// [*ChecksumError] and [ErrDownloadTooLarge].
func Download(ctx context.Context, b Builder, path string, options ...DownloadOption) (int64, error) {
	d, err := newDownload(b, options)
	if err != nil {
		return 0, b.wrong(err)
	}
	if d.settings.into != "" {
		return 0, b.wrong(errors.New(d.settings.into + " is for DownloadInto: Download has a path"))
	}
	dir, name := filepath.Split(path)
	if name == "" || name == "." || name == ".." {
		return 0, b.wrong(errors.New("the path names no file: to take the name from the response use DownloadInto"))
	}
	d.name, d.fixed, d.settings.overwrite = name, true, true
	if dir == "" {
		dir = "."
	}
	if err := d.save(ctx, dir); err != nil {
		return 0, err
	}
	return d.done, nil
}

// Downloaded is a file that [DownloadInto] has written.
type Downloaded struct {
	// Name is the name of the file in its directory.
	Name string
	// Size is its length in bytes.
	Size int64
	// Header is that of the response that the file began with.
	Header http.Header `json:"-"`
	// Requests is the number of requests that it took: 1, and one for each resume.
	Requests int
}

// DownloadInto is [Download] to a file in the directory dir whose name the server gives, in Content-Disposition (RFC
// 6266). Of that name only the last element counts, without what would hide the file, lead out of the directory or mean
// something else on another operating system. If nothing is left, the name is that of [DefaultName], and without that
// a [*DecodeError], before the body is read.
//
// A file, link or directory that has the name already is an error that matches [fs.ErrExist], unless [Overwrite] is
// given.
func DownloadInto(ctx context.Context, b Builder, dir string, options ...DownloadOption) (*Downloaded, error) {
	d, err := newDownload(b, options)
	if err != nil {
		return nil, b.wrong(err)
	}
	if dir == "" {
		return nil, b.wrong(errors.New("the directory has no name; that of the working directory is a dot"))
	}
	if err := d.save(ctx, dir); err != nil {
		return nil, err
	}
	return &Downloaded{Name: d.name, Size: d.done, Header: d.header, Requests: d.requests}, nil
}

// newDownload checks all that can be checked before anything is sent or created.
func newDownload(b Builder, options []DownloadOption) (*download, error) {
	if b.method == http.MethodHead {
		return nil, errors.New("the answer to a HEAD request has no body: use Get")
	}
	for _, name := range []string{byteRange, ifRange} {
		if b.hasHeader(name) {
			return nil, errors.New("header " + name + " is set by the download itself")
		}
	}
	settings, err := downloadSettingsOf(options)
	if err != nil {
		return nil, err
	}
	d := &download{builder: b, settings: settings, total: -1}
	d.coded = b.hasHeader(acceptEncoding)
	if !d.coded {
		d.builder = b.Header(acceptEncoding, "identity")
	}
	return d, nil
}

// save downloads into the directory, and removes what is not whole.
func (d *download) save(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return d.builder.unsent(StageSave, err)
	}
	defer func() { _ = root.Close() }()
	d.root = root
	if d.fixed {
		if err := partfile.Replaceable(root, d.name); err != nil {
			return d.builder.unsent(StageSave, err)
		}
	}
	d.file, err = partfile.Create(root, ".restconn-"+rand.Text()+".part")
	if err != nil {
		return d.builder.unsent(StageSave, err)
	}
	defer d.file.Discard()
	if err := d.run(ctx); err != nil {
		return err
	}
	if err := d.file.Commit(d.name, d.settings.overwrite); err != nil {
		return d.unsaved(err)
	}
	return nil
}

// choose takes the name of the file from the response, where the caller has not given a path, and looks whether it is
// free.
func (d *download) choose(header http.Header) error {
	if d.fixed {
		return nil
	}
	d.name = disposition.Name(header)
	if d.name == "" {
		d.name = d.settings.defaultName
	}
	if d.name == "" {
		return d.undecoded(errors.New("no Content-Disposition names the file: give a DefaultName"))
	}
	check := partfile.Replaceable
	if !d.settings.overwrite {
		check = partfile.Free
	}
	if err := check(d.root, d.name); err != nil {
		return d.unsaved(err)
	}
	return nil
}
