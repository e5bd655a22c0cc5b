package authtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/restconn/restconn/auth"
)

// storeKeys saves under keys that a careless store takes for one another.
func storeKeys(b *fixture) error {
	prefix := b.key().Connection
	var keys []auth.Key
	for _, parts := range [][3]string{
		{"", "", ""},
		{"", "a", "b"},
		{"", "ab", ""},
		{"", "", "ab"},
		{"", "b", "a"},
		{"a", "b", ""},
		{"", "a:b", "c"}, {"", "a", "b:c"}, {":a", "b", "c"},
		{"", "a/b", "c"}, {"", "a", "b/c"}, {"", "a/../b", "c"}, {"", "a", "../c"},
		{"", "a|b", "c"}, {"", "a", "b|c"},
		{"", "a\nb", "c"}, {"", "a", "b\nc"},
		{"", "a", `"b"`}, {"", "a", `'b' OR 1=1 --`}, {"", "a", "%"}, {"", "a", "_"}, {"", "a", "*"},
		{"", "a", "B"}, {"", "a", "b "}, {"", "a", " b"},
		{"", "a", "\u00e9"}, {"", "a", "e\u0301"}, {"", "a", "\u6771\u4eac"}, {"", "a", "\U0001f511"},
		{"", "a", strings.Repeat("x", 1000)}, {"", "a", strings.Repeat("x", 1000) + "y"},
	} {
		keys = append(keys, auth.Key{Connection: prefix + parts[0], Config: parts[1], Subject: parts[2]})
	}
	b.keys = append(b.keys, keys...)

	records := make([]auth.Record, len(keys))
	for i, key := range keys {
		if err := b.stored(b.b, key, auth.Record{}); err != nil {
			return fmt.Errorf("key %q met one of those before: %w", key, err)
		}
		var err error
		if records[i], err = b.put(b.a, key, 0, newData()); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	if err := b.a.Delete(b.ctx, keys[0]); err != nil {
		return fmt.Errorf("Delete: %w", err)
	}
	records[0] = auth.Record{}
	for i, key := range keys {
		if err := b.stored(b.b, key, records[i]); err != nil {
			return fmt.Errorf("key %q met another: %w", key, err)
		}
	}
	return nil
}

func storeData(b *fixture) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	large := make([]byte, 64<<10)
	_, _ = rand.Read(large) // it never fails
	key := b.key()
	var rec auth.Record
	for _, data := range [][]byte{
		every, large, []byte(`{"a":"\u0000'"}` + "\r\n\x00 "), {}, {0}, bytes.Repeat([]byte{0xff}, 1000), newData(),
	} {
		var err error
		if rec, err = b.put(b.a, key, rec.Version, data); err != nil {
			return err
		}
		if err := b.stored(b.b, key, rec); err != nil {
			return err
		}
	}
	return nil
}

func storeCopied(b *fixture) error {
	key, data := b.key(), newData()
	want := bytes.Clone(data)
	rec, err := b.put(b.a, key, 0, data)
	if err != nil {
		return err
	}
	check := func(who string) error {
		if err := b.stored(b.a, key, auth.Record{Version: rec.Version, Data: want}); err != nil {
			return fmt.Errorf("a change of Data of %s changed what is stored: %w", who, err)
		}
		return nil
	}
	clear(data)
	if err := check("fn's result"); err != nil {
		return err
	}
	clear(rec.Data)
	if err := check("the answer of Update"); err != nil {
		return err
	}
	loaded, err := b.a.Load(b.ctx, key)
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	clear(loaded.Data)
	if err := check("the answer of Load"); err != nil {
		return err
	}
	a := update(b.ctx, b.a, key, rec.Version, func(_ context.Context, cur auth.Record) (auth.Record, error) {
		clear(cur.Data)
		return auth.Record{}, errExchange
	})
	if !errors.Is(a.err, errExchange) {
		return fmt.Errorf("Update: %w", a.err)
	}
	return check("fn's argument")
}
