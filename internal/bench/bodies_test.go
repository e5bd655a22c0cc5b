package bench

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// form is what a server has received of an upload.
type form struct {
	length int64
	fields [][2]string
	name   string
	file   []byte
}

// TestUpload proves on the wire that all peers upload the same form, and the same once more after a 503.
func TestUpload(t *testing.T) {
	t.Parallel()
	content := make([]byte, 300<<10)
	_, _ = rand.Read(content)
	file := filepath.Join(t.TempDir(), "report.bin")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, peer := range bodyPeers(t, func(forms *[]form) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f, err := readForm(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if *forms = append(*forms, f); len(*forms) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
	}) {
		if err := peer.Upload(t.Context(), file); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(*peer.forms) != 2 {
			t.Errorf("%s: sent %d forms", name, len(*peer.forms))
		}
		for i, got := range *peer.forms {
			if !reflect.DeepEqual(got.fields, FormFields()) || got.name != "report.bin" || !bytes.Equal(got.file, content) {
				t.Errorf("%s: form %d has the fields %v, and %d bytes in %q", name, i, got.fields, len(got.file), got.name)
			}
			if got.length <= int64(len(content)) {
				t.Errorf("%s: Content-Length is %d", name, got.length)
			}
		}
	}
}

func readForm(r *http.Request) (form, error) {
	f := form{length: r.ContentLength}
	parts, err := r.MultipartReader()
	if err != nil {
		return f, err
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return f, err
		}
		if part.FormName() == FileField {
			f.name, f.file = part.FileName(), content
			continue
		}
		f.fields = append(f.fields, [2]string{part.FormName(), string(content)})
	}
}

// TestDownload proves that all peers put the answer into the file, and into no other.
func TestDownload(t *testing.T) {
	t.Parallel()
	content := make([]byte, 300<<10)
	_, _ = rand.Read(content)
	for name, peer := range bodyPeers(t, func(*[]form) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == exportPath {
				_, _ = w.Write(content)
			}
		}
	}) {
		file := filepath.Join(t.TempDir(), "export.bin")
		if err := peer.Download(t.Context(), file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: the file has %d bytes, error is %v", name, len(got), err)
		}
		if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
			t.Errorf("%s: there are %v, error is %v", name, entries, err)
		}
	}
}

// TestList proves that all peers decode the whole list.
func TestList(t *testing.T) {
	t.Parallel()
	const size = 20_000
	list := ListJSON(size)
	if len(list) > size || len(list) < size-2*len(SampleJSON()) {
		t.Errorf("the list has %d bytes", len(list))
	}
	want := slices.Repeat([]Item{*Sample()}, bytes.Count(list, []byte(`"etag"`)))
	for name, peer := range bodyPeers(t, func(*[]form) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaJSON)
			_, _ = w.Write(list)
		}
	}) {
		got, err := peer.ListJSON(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded %d items, error is %v", name, len(got), err)
		}
	}
}

// testedPeer is a peer with a server of its own.
type testedPeer struct {
	BodyPeer
	forms *[]form
}

func bodyPeers(t *testing.T, handler func(*[]form) http.HandlerFunc) map[string]testedPeer {
	t.Helper()
	peers := map[string]testedPeer{}
	for _, spec := range Specs() {
		if !spec.Bodies {
			continue
		}
		forms := new([]form)
		server := httptest.NewServer(handler(forms))
		t.Cleanup(server.Close)
		opened, err := spec.New(Config{BaseURL: server.URL, Retries: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(opened.Close)
		peer, err := BodyOf(opened)
		if err != nil {
			t.Fatal(err)
		}
		peers[spec.Name] = testedPeer{peer, forms}
	}
	return peers
}
