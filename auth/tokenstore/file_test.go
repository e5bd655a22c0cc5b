package tokenstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// recordPath is where the record of a key is.
func recordPath(dir string, key auth.Key) string {
	return filepath.Join(dir, tokenstore.FileName(key)+".json")
}

// names lists what is in the directory, with the hash of theKey as "*".
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.Replace(e.Name(), tokenstore.FileName(theKey), "*", 1))
	}
	return names
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

const secretText = "refresh-8c1f0a"

func TestFileM2(t *testing.T) {
	t.Parallel()
	sample, sampleDir := newFile(t)
	put(t, sample, theKey, secretText)
	good := read(t, recordPath(sampleDir, theKey))
	moved := auth.Key{Connection: "billing", Config: "c1", Subject: "eve"}
	put(t, sample, moved, secretText)

	for name, text := range map[string][]byte{
		"M2 empty":             {},
		"M2 zero-filled":       make([]byte, len(good)),
		"M2 torn":              good[:len(good)/2],
		"M2 torn at the start": good[len(good)/2:],
		"M2 half zero":         append(bytes.Clone(good[:len(good)/2]), make([]byte, len(good)/2)...),
		"M2 two records":       append(bytes.Clone(good), good...),
		"M2 a bare token":      []byte(secretText),
		"M2 a JSON string":     []byte(`"` + secretText + `"`),
		"M2 JSON null":         []byte("null"),
		"M2 another program":   []byte(`{"access_token":"` + secretText + `","refresh_token":"r"}`),
		"M2 no format":         bytes.Replace(good, []byte(`"format":1`), []byte(`"former":1`), 1),
		"M2 format of a kind":  bytes.Replace(good, []byte(`"format":1`), []byte(`"format":"1"`), 1),
		"M2 no version":        bytes.Replace(good, []byte(`"version"`), []byte(`"verslon"`), 1),
		"M2 data of a kind":    bytes.Replace(good, []byte(`"data":"`), []byte(`"data":"!`), 1),
		"M2 too large":         append(bytes.Clone(good), bytes.Repeat([]byte(" "), 1<<20)...),
		"M2 of another key":    read(t, recordPath(sampleDir, moved)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := newFile(t)
			put(t, s, theKey, "before")
			for n, call := range []func() error{
				func() error { _, err := s.Load(t.Context(), theKey); return err },
				func() error { _, err := s.Update(t.Context(), theKey, 1, give("x")); return err },
			} {
				write(t, recordPath(dir, theKey), text)
				err := call()
				if _, ok := errors.AsType[*auth.StoreError](err); !ok || !errors.Is(err, tokenstore.ErrCorrupt) {
					t.Fatalf("call %d: error %v", n, err)
				}
				if strings.Contains(err.Error(), secretText) {
					t.Errorf("call %d: the error holds the token: %v", n, err)
				}
				aside, _ := filepath.Glob(filepath.Join(dir, "*.corrupt-*"))
				if len(aside) != n+1 {
					t.Fatalf("call %d: kept are %v", n, aside)
				}
				for _, path := range aside {
					if !bytes.Equal(read(t, path), text) {
						t.Errorf("call %d: %s is not what was there", n, path)
					}
				}
				if rec, err := s.Load(t.Context(), theKey); err != nil || rec.Version != 0 || rec.Data != nil {
					t.Errorf("call %d: Load returned %+v, %v", n, rec, err)
				}
			}
			put(t, s, theKey, "after")
			if aside, _ := filepath.Glob(filepath.Join(dir, "*.corrupt-*")); len(aside) != 2 {
				t.Errorf("kept are %v", aside)
			}
			if err := s.Delete(t.Context(), theKey); err != nil {
				t.Error(err)
			}
			if aside, _ := filepath.Glob(filepath.Join(dir, "*.corrupt-*")); len(aside) != 0 {
				t.Errorf("after Delete, %v are still there", aside)
			}
		})
	}
}

// TestFileM2InFlight spoils the record while an exchange is made: the new token is not given up for it.
func TestFileM2InFlight(t *testing.T) {
	t.Parallel()
	s, dir := newFile(t)
	rec := put(t, s, theKey, "old")
	_, err := s.Update(t.Context(), theKey, rec.Version, func(context.Context, auth.Record) (auth.Record, error) {
		write(t, recordPath(dir, theKey), []byte("garbage"))
		return auth.Record{Data: []byte("new")}, nil
	})
	if err != nil || text(t, s, theKey) != "new" {
		t.Errorf("error %v; stored is %q", err, text(t, s, theKey))
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "*.corrupt-*")); len(aside) != 1 {
		t.Errorf("kept are %v", aside)
	}
}

func TestFileM12(t *testing.T) {
	t.Parallel()
	t.Run("M12 unknown members are kept", func(t *testing.T) {
		t.Parallel()
		s, dir := newFile(t)
		put(t, s, theKey, "one")
		var members map[string]any
		if err := json.Unmarshal(read(t, recordPath(dir, theKey)), &members); err != nil {
			t.Fatal(err)
		}
		members["future"] = map[string]any{"a": []any{"b", nil}}
		changed, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		write(t, recordPath(dir, theKey), changed)
		put(t, s, theKey, "two")
		var after map[string]any
		if err := json.Unmarshal(read(t, recordPath(dir, theKey)), &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(members["future"], after["future"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if text(t, s, theKey) != "two" {
			t.Error("the new token is not there")
		}
	})
	t.Run("M12 a newer format is left alone", func(t *testing.T) {
		t.Parallel()
		s, dir := newFile(t)
		put(t, s, theKey, "one")
		newer := []byte(`{"format":2,"version":"v7","data":{"sealed":true}}`)
		write(t, recordPath(dir, theKey), newer)
		_, loaded := s.Load(t.Context(), theKey)
		_, updated := s.Update(t.Context(), theKey, 0, give("x"))
		for _, err := range []error{loaded, updated} {
			wantStoreError(t, err, tokenstore.ErrNewerFormat)
		}
		if got := read(t, recordPath(dir, theKey)); !bytes.Equal(got, newer) {
			t.Errorf("the file is %s", got)
		}
		if err := s.Delete(t.Context(), theKey); err != nil || text(t, s, theKey) != "" {
			t.Errorf("Delete: %v", err)
		}
	})
}

// TestFileM5 lets each step of a save fail, as on a disk that is full: the old record stays, and nothing is left.
func TestFileM5(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 8; n++ { // four steps to mark, four to save
		t.Run(fmt.Sprintf("M5 T16 step %d", n), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) { failStep(t, n) })
		})
	}
}

// failStep lets a step and all that follow fail, in virtual time: Update tries until the lease ends.
func failStep(t *testing.T, n int) {
	t.Helper()
	errFull := errors.New("no space left on device")
	dir := filepath.Join(t.TempDir(), "tokens")
	old := put(t, tokenstore.NewFile(dir), theKey, "old")
	count, failed := 0, ""
	s := tokenstore.NewFileSteps(dir, func(step string) error {
		count++
		if count < n || step == "done" {
			return nil
		}
		if failed == "" {
			failed = step
		}
		return errFull
	})
	exchanges := 0
	rec, err := s.Update(t.Context(), theKey, old.Version,
		func(context.Context, auth.Record) (auth.Record, error) {
			exchanges++
			return auth.Record{Data: []byte("new")}, nil
		})
	wantStoreError(t, err, errFull)
	if exchanges == 1 && string(rec.Data) != "new" {
		t.Error("the new token is lost")
	}
	stored, err := tokenstore.NewFile(dir).Load(t.Context(), theKey)
	if err != nil || string(stored.Data) != "old" || stored.Version != old.Version {
		t.Errorf("stored is %q, %v", stored.Data, err)
	}
	if exchanges == 1 && !stored.InFlight {
		t.Error("nothing says that an exchange was begun")
	}
	if diff := cmp.Diff([]string{"*.json", "*.lease", "*.lock"}, names(t, dir)); diff != "" {
		t.Errorf("step %s: files (-want +got):\n%s", failed, diff)
	}
}

func TestFileLimit(t *testing.T) {
	t.Parallel()
	s, _ := newFile(t)
	old := put(t, s, theKey, "old")
	rec, err := s.Update(t.Context(), theKey, old.Version, give(strings.Repeat("x", 1<<20)))
	wantStoreError(t, err, tokenstore.ErrTooLarge)
	if len(rec.Data) != 1<<20 || text(t, s, theKey) != "old" {
		t.Errorf("the answer has %d bytes; stored is %q", len(rec.Data), text(t, s, theKey))
	}
}

func TestFileLeftovers(t *testing.T) {
	t.Parallel()
	s, dir := newFile(t)
	put(t, s, theKey, "one")
	write(t, filepath.Join(dir, tokenstore.FileName(theKey)+".tmp"), []byte(`{"format":1`))
	if got := text(t, s, theKey); got != "one" {
		t.Errorf("stored is %q", got)
	}
	put(t, s, theKey, "two")
	if diff := cmp.Diff([]string{"*.json", "*.lease", "*.lock"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := s.Delete(t.Context(), theKey); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != nil {
		t.Errorf("after Delete there are %v", got)
	}
}

func TestFileKeys(t *testing.T) {
	t.Parallel()
	s, _ := newFile(t)
	keys := []auth.Key{
		{}, {Subject: "\x00"}, {Subject: "\xff"}, {Subject: "\xfe"}, {Subject: "\ufffd"}, {Subject: "base64:/w=="},
		{Subject: strings.Repeat("\xff", 5000)}, {Connection: "\x00"}, {Config: "\x00"},
	}
	for i, key := range keys {
		put(t, s, key, strconv.Itoa(i))
	}
	for i, key := range keys {
		if got := text(t, s, key); got != strconv.Itoa(i) {
			t.Errorf("%q has %q, want %d", key, got, i)
		}
	}
}

// TestFileDirectory removes the directory at any time.
func TestFileDirectory(t *testing.T) {
	t.Parallel()
	s, dir := newFile(t)
	if rec, err := s.Load(t.Context(), theKey); err != nil || rec.Version != 0 {
		t.Errorf("Load: %v", err)
	}
	if err := s.Delete(t.Context(), theKey); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made by reading: %v", err)
	}
	_, err := s.Update(t.Context(), theKey, 0, func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{Data: []byte("x")}, os.RemoveAll(dir)
	})
	wantStoreError(t, err, tokenstore.ErrLeaseLost)
	put(t, s, theKey, "again")
}

func TestFileNotADirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens.json")
	write(t, path, []byte("{}"))
	s := tokenstore.NewFile(path)
	_, loaded := s.Load(t.Context(), theKey)
	_, updated := s.Update(t.Context(), theKey, 0, give("x"))
	for _, err := range []error{loaded, updated, s.Delete(t.Context(), theKey)} {
		wantStoreError(t, err, tokenstore.ErrNotDirectory)
	}
}
