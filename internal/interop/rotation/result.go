package rotation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Result is what has come of a plan.
type Result struct {
	Counts

	// Done is how many workers saw all rotations.
	Done int
	// Saved is how many tokens workers said they had saved after a renewal.
	Saved int
	// Killed is how many workers were killed, and InWindow how many of them between the grant of a token and the
	// report that it was saved.
	Killed, InWindow int
	// Lost is how many refusals of a refresh token were told as [auth.ErrLoginRequired], and Unheard how many met a
	// worker that was killed before it could tell.
	Lost, Unheard int
	// Crashed is how often the store was killed.
	Crashed int
	// Unsaved is how often a manager told that a token was not saved, and StoreFailed that the store did not answer.
	Unsaved, StoreFailed int
	// TooSoon is how often a rejected token was not renewed, because one had just been.
	TooSoon int
	// Waits are what managers said when they had no token for a while, and how often.
	Waits map[string]int
	// Windows are the times from the answer of the server until the token was saved, and the lease given back.
	Windows []time.Duration
	// Torn is how many records could not be parsed, of Reads that were made all the time.
	Torn, Reads int
	// Faults are errors of any other kind.
	Faults []string
	// Usable says that the token in the store at the end is one that the server accepts.
	Usable bool
	Took   time.Duration
}

// Window returns the longest window but for a part of all, such as 0.01.
func (r Result) Window(but float64) time.Duration {
	if len(r.Windows) == 0 {
		return 0
	}
	all := slices.Sorted(slices.Values(r.Windows))
	return all[len(all)-1-int(but*float64(len(all)))]
}

// Verdict returns in what the result misses what was wanted of the plan. Without kills, nothing may be lost: each token
// is saved by who renewed it. With kills, each may cost one refresh token, and what it costs has to be told; where the
// server has a grace, it costs none. That there is no token for a while is no miss: on a busy machine, one that lives
// for a moment may have ended before anybody gets to it.
func (r Result) Verdict(p Plan) error {
	var faults []error
	miss := func(missed bool, format string, args ...any) {
		if missed {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	miss(r.Done != p.Workers, "%d of %d workers saw all rotations", r.Done, p.Workers)
	miss(r.Torn != 0, "%d of %d reads were torn", r.Torn, r.Reads)
	miss(!r.Usable, "the stored token is none that the server accepts")
	miss(len(r.Faults) != 0, "faults: %s", strings.Join(r.Faults, "; "))
	miss(r.Rotations+r.Logins <= p.Rotations, "%d rotations and %d logins", r.Rotations, r.Logins)
	miss(p.Workers > 1 && r.Busy < 2 && p.Rotations >= 50, "only one worker renewed")
	miss(r.Crashed != p.Crashes, "%d of %d crashes of the store", r.Crashed, p.Crashes)
	miss(r.Unsaved+r.StoreFailed > 0 && p.Crashes+p.Kills == 0, "the store failed") // leases are short with kills
	miss(p.Window > 0 && r.Window(0.01) > p.Window, "1%% of the windows are longer than %v", p.Window)
	miss(r.Killed != p.Kills, "%d of %d kills", r.Killed, p.Kills)
	if p.Kills == 0 || p.Grace > 0 {
		miss(r.Replays != 0 || r.Lost != 0, "%d replays, %d lost", r.Replays, r.Lost)
		miss(r.Logins != 1, "%d logins instead of one", r.Logins)
	}
	if p.Kills == 0 {
		miss(r.Saved != r.Rotations, "%d tokens were saved after %d rotations", r.Saved, r.Rotations)
		return errors.Join(faults...)
	}
	miss(r.Saved+r.InWindow != r.Rotations && p.Crashes == 0,
		"%d tokens were saved and %d workers killed before that, of %d", r.Saved, r.InWindow, r.Rotations)
	miss(r.Lost+r.Unheard != r.Replays, "%d losses were told and %d could not be, of %d", r.Lost, r.Unheard, r.Replays)
	miss(r.Revoked > r.InWindow, "%d logins were lost, and %d kills fell in the window", r.Revoked, r.InWindow)
	miss(p.Kills > 1 && p.Grace == 0 && r.Lost == 0, "no loss was told")
	return errors.Join(faults...)
}
