package request

import (
	"errors"
	"fmt"
)

// option is one option of what settings S are for.
type option[S any] struct {
	name string
	set  func(s *S) error
}

// String returns the name of the option.
func (o option[S]) String() string { return o.name }

func (o option[S]) apply(s *S) error { return o.set(s) }

// applyAll changes the settings, in the order of the options. Its error names the first that is wrong.
func applyAll[S any, O interface{ apply(s *S) error }](s *S, options []O) error {
	for _, o := range options {
		if any(o) == nil {
			return errors.New("an option is nil")
		}
		if err := o.apply(s); err != nil {
			return fmt.Errorf("%v: %w", o, err)
		}
	}
	return nil
}
