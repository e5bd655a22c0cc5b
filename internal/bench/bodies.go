package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/restconn/restconn/request"
)

// BodyPeer is a [Peer] that also moves large bodies.
type BodyPeer interface {
	Peer
	// ListJSON sends GET /v1/items, and decodes the answer into a slice.
	ListJSON(ctx context.Context) ([]Item, error)
	// Upload sends POST /v1/reports with a multipart form of [FormFields] and the file.
	Upload(ctx context.Context, file string) error
	// Download sends GET /v1/export, and puts the answer into the file.
	Download(ctx context.Context, file string) error
}

const (
	exportPath  = "/v1/export"
	reportsPath = "/v1/reports"
	// FileField is the name of the file in the form of an upload.
	FileField = "report"
)

// FormFields returns the names and values of the other fields of that form, in their order.
func FormFields() [][2]string {
	return [][2]string{{"project", "northern oak"}, {"period", "2025-11"}, {"note", "daily"}}
}

var errNoBodies = errors.New("this peer does not move large bodies")

// BodyOf returns the peer as one that moves large bodies.
func BodyOf(p Peer) (BodyPeer, error) {
	b, ok := p.(BodyPeer)
	if !ok {
		return nil, errNoBodies
	}
	return b, nil
}

// List is the operation of the scenario with a large answer. It returns the last of the items.
func List(ctx context.Context, p Peer) (*Item, error) {
	b, err := BodyOf(p)
	if err != nil {
		return nil, err
	}
	items, err := b.ListJSON(ctx)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, errors.New("the list is empty")
	}
	return &items[len(items)-1], nil
}

// Refuses gets an item that is a bomb, and reports whether the peer has refused it because of its size.
func Refuses(ctx context.Context, p Peer) (bool, error) {
	_, err := p.GetJSON(ctx)
	if errors.Is(err, request.ErrTooLarge) {
		return true, nil
	}
	return false, err
}

// ListJSON returns a list of items as JSON that is as close to size bytes as it can be without exceeding them.
func ListJSON(size int) []byte {
	item := SampleJSON()
	count := max(1, (size-1)/(len(item)+1))
	return slices.Concat([]byte("["), bytes.Repeat(append(slices.Clip(item), ','), count-1), item, []byte("]"))
}

// Bomb returns an item as JSON in gzip, about 1 KB for each MiB of its name. Each of them is a gzip member of its own
// (RFC 1952, section 2.2), so that it is quickly made.
func Bomb(mebibytes int) ([]byte, error) {
	head, err := compressed(`{"id":"42","name":"`)
	if err != nil {
		return nil, err
	}
	part, err := compressed(strings.Repeat("a", 1<<20))
	if err != nil {
		return nil, err
	}
	tail, err := compressed(`"}`)
	return slices.Concat(head, bytes.Repeat(part, mebibytes), tail), err
}

func compressed(s string) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, s); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return buf.Bytes(), nil
}
