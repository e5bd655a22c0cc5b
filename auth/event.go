package auth

import "time"

// EventKind says what has happened to a token.
type EventKind string

// What a [Manager] tells those who [Watch] it.
const (
	// EventRenewed: the grant brought a new token, which may be the first.
	EventRenewed EventKind = "renewed"
	// EventAdopted: somebody else's new token was found in the store.
	EventAdopted EventKind = "adopted"
	// EventFailed: an exchange failed, and will be tried again at RetryAt.
	EventFailed EventKind = "failed"
	// EventLost: there is no way to another token without a user, or without a new configuration.
	EventLost EventKind = "lost"
	// EventUnsaved: a new token could not be saved. It is used, and saving is tried again.
	EventUnsaved EventKind = "unsaved"
	// EventSaved: a token that could not be saved has been.
	EventSaved EventKind = "saved"
	// EventStoreFailed: the store could not be read, or its lease not be had.
	EventStoreFailed EventKind = "store_failed"
	// EventUnfinished: the store shows that an exchange was begun and that nobody told how it ended, as after a
	// crash. The new exchange may find that its refresh token was used up.
	EventUnfinished EventKind = "unfinished"
)

// Event is something that happened to a token. It holds no secret.
type Event struct {
	Kind EventKind
	// Key is whose token it is.
	Key Key
	// Expiry is the end of the token, if there is one and it is known.
	Expiry time.Time
	// Err is why, if something failed.
	Err error
	// RetryAt is when the next exchange may be tried after a failed one.
	RetryAt time.Time
}
