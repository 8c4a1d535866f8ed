package slogtest

import "net/http"

// An Answer is how a [Server] answers a request. The zero value is an empty 200.
type Answer struct {
	Status  int         // default 200; in a [Request] it is never zero
	Header  http.Header // times to come back are in whole seconds, as in "Retry-After: 1"
	Body    string
	Trouble Trouble // what goes wrong with it; default nothing
}

func (a Answer) status() int {
	if a.Status == 0 {
		return http.StatusOK
	}
	return a.Status
}

// accepts says that the request counts as accepted, also if its answer is lost.
func (a Answer) accepts() bool {
	return a.Trouble != CutBefore && a.Trouble != Malformed && a.status() >= 200 && a.status() < 300
}

// Trouble is what goes wrong with an answer.
//
// On a connection that was used before, a client may take a cut for the end of
// an idle connection, and send a request again by itself: that of net/http does
// if the request has no body, or an Idempotency-Key and a body that can be had
// again.
type Trouble string

// What can go wrong.
const (
	// CutBefore cuts the connection before the body of the request is read, or,
	// if the answer is that of a function, see [Server.Handle], after that. The
	// request does not count as received.
	CutBefore Trouble = "cut before"
	// CutAfter cuts the connection when the request has been received: the
	// answer is lost.
	CutAfter Trouble = "cut after"
	// Stall receives the request and answers it only after [Server.Release],
	// unless the client leaves before.
	Stall Trouble = "stall"
	// Truncate cuts the connection in the middle of the answer's body.
	Truncate Trouble = "truncate"
	// Endless goes on with the answer's body until the client leaves.
	Endless Trouble = "endless"
	// Malformed answers with something that is not HTTP. Who speaks like this has
	// not understood the request: it does not count as accepted.
	Malformed Trouble = "malformed"
)
