package flight

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// ErrPanic is the error of a call whose function panicked.
var ErrPanic = errors.New("panic")

var errGoexit = fmt.Errorf("%w: the function called runtime.Goexit", ErrPanic)

// panicError describes a panic without its value, which may hold anything, a secret included: by the text of a
// runtime error, or else by the type of the value, and by the place. It is called by the deferred function that
// recovered.
func panicError(value any) error {
	what := fmt.Sprintf("%T", value)
	if e, ok := value.(runtime.Error); ok {
		what = e.Error()
	}
	return fmt.Errorf("%w in %s: %s", ErrPanic, panicPlace(), what)
}

// panicPlace returns the function and the line that panicked.
func panicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicking := false
	for {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicking && !inRuntime {
			return fmt.Sprintf("%s (line %d)", frame.Function, frame.Line)
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
		if !more {
			return "an unknown function"
		}
	}
}
