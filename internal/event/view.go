// Package event is the implementation behind [sinks.Event]: a record in the
// batch it is delivered with.
//
// It is separate from package sinks so that only the fan-out can make events
// out of journal memory, while a sink author sees nothing but methods.
package event

import "github.com/fapilog/fapilog/internal/frame"

// View is one record of a batch. sinks.Event is defined as this struct, so
// its fields stay unexported: they would be promoted into the public type.
//
// A view that is used after its batch was reset is out of contract, and empty.
type View struct {
	batch      *Batch
	index      int32
	generation uint32 // of the batch
}

func (v View) valid() bool {
	return v.batch != nil && v.generation == v.batch.generation.Load() && int(v.index) < len(v.batch.entries)
}

func (v View) entry() (e entry) {
	if v.valid() {
		e = v.batch.entries[v.index]
	}
	return e
}

// Frame returns the record in its encoded form.
func (v View) Frame() frame.Frame { return v.entry().frame }

// Seq returns the sequence number of the record in its log.
func (v View) Seq() uint64 { return v.entry().seq }

// IsMark reports whether the record marks a gap.
func (v View) IsMark() bool { return v.entry().mark }

// Log returns the id of the log that the sequence number belongs to.
func (v View) Log() string {
	if v.batch == nil {
		return ""
	}
	return v.batch.origin.Log
}

// Service returns the configured service name.
func (v View) Service() string {
	if v.batch == nil {
		return ""
	}
	return v.batch.origin.Service
}

// JSON returns the record as a line of JSON.
func (v View) JSON() []byte {
	if !v.valid() {
		return nil
	}
	return v.batch.line(int(v.index))
}
