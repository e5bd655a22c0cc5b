package request

import (
	"errors"
	"fmt"
	"iter"
)

// ErrTooManyItems means that there are more items than [MaxItems] allows.
var ErrTooManyItems = errors.New("there are more items than MaxItems allows")

// ItemOption changes what [Items] and [ItemsOf] do. Of two that set the same thing the last one counts.
type ItemOption interface {
	// String names the option.
	String() string
	apply(s *itemSettings) error
}

// itemSettings is what the options have set.
type itemSettings struct {
	most int // 0: any number
}

// MaxItems guards against lists that are longer than they should be: what is beyond n items is [ErrTooManyItems], after
// the last item that is allowed. To stop after some items leave the loop. By default only [MaxPages] sets a limit. A
// number below 1 is an error.
func MaxItems(n int) ItemOption {
	return option[itemSettings]{"MaxItems", func(s *itemSettings) error {
		if n < 1 {
			return errors.New("the number is not positive")
		}
		s.most = n
		return nil
	}}
}

// Items is the items of pages that are lists and nothing else, one after the other. For objects with a list in them
// there is [ItemsOf], which see.
func Items[E any](pages iter.Seq2[*Page[[]E], error], options ...ItemOption) iter.Seq2[E, error] {
	return ItemsOf(pages, func(value []E) []E { return value }, options...)
}

// ItemsOf is the items of pages, one after the other; items returns those of one page. A page is asked for when the
// loop wants its first item. To range over the items again begins anew, if it does for the pages.
//
// An error comes once, beside the zero E, and is the last: those of the pages as they are, and [ErrTooManyItems] in an
// [*Error] of [StagePage].
func ItemsOf[T, E any](
	pages iter.Seq2[*Page[T], error], items func(value T) []E, options ...ItemOption,
) iter.Seq2[E, error] {
	var settings itemSettings
	err := applyAll(&settings, options)
	switch {
	case err != nil:
	case pages == nil:
		err = errors.New("the pages are nil: they come from Pages")
	case items == nil:
		err = errors.New("ItemsOf: the function is nil")
	}
	return func(yield func(E, error) bool) {
		var none E
		if err != nil {
			yield(none, &Error{Stage: StageBuild, Err: err})
			return
		}
		left := settings.most
		for page, err := range pages {
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items(page.Value) {
				if settings.most > 0 && left == 0 {
					yield(none, &Error{Stage: StagePage, Err: fmt.Errorf("%w (%d)", ErrTooManyItems, settings.most)})
					return
				}
				left--
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}
