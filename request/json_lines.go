package request

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/charset"
)

// ErrLineTooLarge means that a line of a body is longer than [MaxLineSize] allows.
var ErrLineTooLarge = errors.New("the line is longer than MaxLineSize allows")

const acceptLines = "application/x-ndjson, application/jsonl, application/json"

// JSONLines sends the request when it is ranged over, and yields the values of the answer as they come: one JSON value
// in each line (NDJSON, JSON Lines). A line is decoded as strictly as [Do] decodes a body, by the codec of the request,
// which is one for JSON. Lines end with LF or CRLF, the last one also with the body; those that are blank are skipped,
// and a byte order mark at the beginning is, too. A line that is null is an error unless T can be absent.
//
// The Content-Type is application/x-ndjson, ndjson, jsonl, x-jsonlines, jsonlines, stream+json or json, or there is
// none; any will do with a codec that has AnyContentType. Accept asks for a few of them, unless the request has its
// own. An answer without a body, such as 204, is an empty sequence.
//
// The first bad line is a [*DecodeError] that has its number, and in Body the line itself. A body that breaks off is an
// error of [StageRead], after all lines that are whole. The request is never sent again once its body has begun.
//
// No limit on attempt or total cuts an open body: the idle timeout rules. There is no limit on the time that the
// consumer takes for a value.
//
// An error is yielded once, last, and with the zero T. Leaving the loop closes the response at once. Each range sends a
// request of its own, and several goroutines may range at once. Errors are [*ResponseError], [*DecodeError] and, for
// all else, [*Error].
func JSONLines[T any](ctx context.Context, b Builder, options ...LineOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s, err := openLines(ctx, b, options)
		if err != nil {
			yield(none, err)
			return
		}
		defer s.sent.Close()
		for {
			line, err := s.next()
			if isEnd(err) {
				return
			}
			var v T
			if err == nil {
				err = s.decodeLine(line, &v)
			}
			if err != nil {
				yield(none, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// LineOption changes how [JSONLines] reads a body. Of two that set the same thing the last one counts.
type LineOption interface {
	// String names the option.
	String() string
	apply(s *lineSettings) error
}

// lineSettings is what the options have set.
type lineSettings struct{ size int }

const defaultLineSize = 1 << 20

// MaxLineSize is how long a line may be, in bytes without its LF. The default is 1 MiB. What is longer is
// [ErrLineTooLarge], and is not read to its end.
func MaxLineSize(n int) LineOption {
	return option[lineSettings]{"MaxLineSize", func(s *lineSettings) error {
		if n < 1 {
			return errors.New("want at least 1 byte")
		}
		s.size = n
		return nil
	}}
}

// valueLines is an open body with a value in each line.
type valueLines struct {
	reader

	sent   sent
	lines  lineReader
	number int // of the last line, from 1
}

// openLines sends the request. The caller closes the exchange.
func openLines(ctx context.Context, b Builder, options []LineOption) (*valueLines, error) {
	settings := lineSettings{size: defaultLineSize}
	if err := applyAll(&settings, options); err != nil {
		return nil, b.wrong(err)
	}
	if err := b.connected(); err != nil {
		return nil, b.wrong(err)
	}
	if !b.codec().IsJSON() {
		return nil, b.wrong(errors.New("the codec is not one for JSON: set one with Codec"))
	}
	x, err := b.open(ctx, acceptLines)
	if err != nil {
		return nil, err
	}
	s := &valueLines{
		reader: b.reader(x.Exchange), sent: x,
		lines: lineReader{body: x.Response.Body, ends: "\n", limit: settings.size},
	}
	if err := s.expectLines(); err != nil {
		x.Close()
		return nil, err
	}
	return s, nil
}

// expectLines refuses an answer that says it is of another format. It does not read it.
func (r *reader) expectLines() error {
	if r.bodiless() {
		return nil
	}
	header := r.exchange.Response.Header
	err := refuseCoding(header)
	if err == nil {
		err = isLines(r.codec, typeOf(header))
	}
	if err != nil {
		return r.decodeError(err)
	}
	return nil
}

func isLines(codec connection.Codec, contentType string) error {
	if contentType == "" || codec.AnyContentType {
		return nil
	}
	media, name := parseType(contentType)
	format, ok := strings.CutPrefix(media, "application/")
	formats := []string{"x-ndjson", "ndjson", "jsonl", "x-jsonlines", "jsonlines", "stream+json", "json"}
	if !ok || !slices.Contains(formats, format) {
		return errors.New("the content type is not one of JSON lines: if that is right all the same, " +
			"use Codec(connection.Codec{AnyContentType: true})")
	}
	if !charset.IsUTF8(name) {
		return errNotUTF8
	}
	return nil
}

// next returns the next line that is not blank; io.EOF at the end.
func (s *valueLines) next() ([]byte, error) {
	for {
		line, err := s.lines.next()
		s.number++
		if s.number == 1 {
			line = trimBOM(line)
		}
		switch {
		case errors.Is(err, errLongLine):
			return nil, s.broken(fmt.Errorf("line %d: %w (%d bytes)", s.number, ErrLineTooLarge, s.lines.limit))
		case err != nil && !isEnd(err):
			return nil, s.broken(fmt.Errorf("the response body broke off in line %d: %w", s.number, err))
		case len(bytes.Trim(line, " \t\r")) > 0:
			return line, nil
		case err != nil:
			return nil, io.EOF
		}
	}
}

// decodeLine puts the value in a line into target.
func (s *valueLines) decodeLine(line []byte, target any) error {
	if s.codec.Unmarshal != nil { // it may keep the line, and the next one comes to the same place
		line = slices.Clone(line)
	}
	err := decodeValue(s.codec, line, target)
	if err == nil {
		return nil
	}
	s.data = line
	return s.decodeError(fmt.Errorf("line %d: %w", s.number, err))
}
