package partfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// newPart returns a directory with one part in it.
func newPart(t *testing.T, text string) (*os.Root, *File) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	p, err := Create(root, "part")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Discard)
	if _, err := p.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return root, p
}

// wantFiles asserts what is in the directory.
func wantFiles(t *testing.T, root *os.Root, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(root.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root.Name(), e.Name()))
		if want, ok := want[e.Name()]; err != nil || !ok || string(text) != want {
			t.Errorf("%s has %q (%v), want %q (%t)", e.Name(), text, err, want, ok)
		}
	}
	if len(entries) != len(want) {
		t.Errorf("%d files, want %d", len(entries), len(want))
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	for name, overwrite := range map[string]bool{"to a free name": false, "to any name": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, p := newPart(t, "old text")
			if err := p.Clear(); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Write([]byte("new")); err != nil {
				t.Fatal(err)
			}
			if err := p.Commit("file", overwrite); err != nil {
				t.Fatal(err)
			}
			p.Discard()
			wantFiles(t, root, map[string]string{"file": "new"})
		})
	}
}

func TestCommitToTakenName(t *testing.T) {
	t.Parallel()
	for name, overwrite := range map[string]bool{"is an error": false, "replaces the file": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, p := newPart(t, "new")
			if err := root.WriteFile("file", []byte("old"), ownerOnly); err != nil {
				t.Fatal(err)
			}
			err := p.Commit("file", overwrite)
			p.Discard()
			if overwrite {
				wantFiles(t, root, map[string]string{"file": "new"})
				return
			}
			if pe, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, fs.ErrExist) || pe.Path != "file" {
				t.Errorf("error %v", err)
			}
			wantFiles(t, root, map[string]string{"file": "old"})
		})
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	root, p := newPart(t, "text")
	if _, err := Create(root, "part"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want that it exists", err)
	}
	p.Discard()
	p.Discard()
	wantFiles(t, root, nil)
}

func TestNames(t *testing.T) {
	t.Parallel()
	root, p := newPart(t, "text")
	if err := errors.Join(root.Mkdir("dir", 0o700), root.Symlink("nowhere", "link"), p.Commit("file", false)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ replaceable, free bool }{
		"none": {true, true}, "file": {true, false}, "link": {true, false}, "dir": {false, false},
	} {
		if err := Replaceable(root, name); (err == nil) != want.replaceable {
			t.Errorf("%s: %v, want that it is replaceable: %t", name, err, want.replaceable)
		}
		if err := Free(root, name); (err == nil) != want.free {
			t.Errorf("%s: %v, want that it is free: %t", name, err, want.free)
		}
	}
}
