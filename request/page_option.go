package request

import "errors"

// PageOption changes what [Pages] does. Of two that set the same thing the last one counts.
type PageOption interface {
	// String names the option.
	String() string
	apply(s *pageSettings) error
}

// pageSettings is what the options have set.
type pageSettings struct {
	most int
	from string
}

// mostPages is the default of MaxPages.
const mostPages = 10_000

func pageSettingsOf(options []PageOption) (pageSettings, error) {
	s := pageSettings{most: mostPages}
	err := applyAll(&s, options)
	return s, err
}

// MaxPages sets how many pages a run has at most; what is beyond is [ErrTooManyPages], after the last page that is
// allowed. The default is 10,000. A number below 1 is an error.
func MaxPages(n int) PageOption {
	return option[pageSettings]{"MaxPages", func(s *pageSettings) error {
		if n < 1 {
			return errors.New("the number is not positive")
		}
		s.most = n
		return nil
	}}
}

// FromCursor begins with the page that the Cursor of an earlier [Page] names, with the same first request and the same
// [Next]. It may come from anywhere: a cursor that is a URL may not lead away from the origin of the first request, or
// from the connection's origins where that is one of them. An empty cursor is an error: it is that of a last page.
func FromCursor(cursor string) PageOption {
	return option[pageSettings]{"FromCursor", func(s *pageSettings) error {
		if cursor == "" {
			return errors.New("the cursor is empty, as that of a last page is: " +
				"to begin with the first page leave the option out")
		}
		s.from = cursor
		return nil
	}}
}
