package request

// Progress is how far an upload or a download has come.
type Progress struct {
	// Done is the number of bytes that were sent, or are in the file. It begins anew where a body is sent again.
	Done int64
	// Total is what Done will be at the end; -1 if it is not known.
	Total int64
	// Attempt is 1 for the first time that the body is sent or asked for. A retry, a redirect, a resend after a challenge
	// and a resumed download each begin another.
	Attempt int
}
