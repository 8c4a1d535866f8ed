// Package slogtest tests sinks: alone, as the fan-out calls them, and behind a
// fan-out, with a destination that works and with one that fails. It also has
// the pieces that such tests are made of: sinks that fail in all manners, and an
// HTTP server that does.
//
// The author of a sink says how to make it and how to read back what has
// arrived:
//
//	func TestConformance(t *testing.T) {
//		slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
//			server := slogtest.NewServer(t)
//			sink := mysink.New(server.URL, mysink.Options{Token: "s3cr3t-t0ken"})
//			return slogtest.Subject{
//				Sink:    sink,
//				Records: func() ([]map[string]any, error) { return recordsIn(server.Requests()) },
//				Secrets: []string{"s3cr3t-t0ken"},
//				Faults: []slogtest.Fault{
//					server.Fault("unavailable", slogtest.Answer{Status: 503}, slogtest.Retry),
//					server.Fault("token refused", slogtest.Answer{Status: 401}, slogtest.Hold),
//					server.Fault("no answer", slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Retry),
//				},
//			}
//		})
//	}
//
//	func TestURI(t *testing.T) {
//		slogtest.TestURI(t, "mysink://localhost?topic=logs", "topic=UPPER")
//	}
//
// What is broken is said with the name of the rule, its sentence, and what was
// seen:
//
//	slogtest: rule "once": every record arrives exactly once on the happy path: record 17 of goroutine 2 arrived 2 times
//
// Run the test with the race detector, too: what a goroutine does to a batch
// after Write has returned, only that sees for certain.
//
// # Rules of sinks
//
// Each rule is a subtest of [TestSink]. Where the contract is from is [sinks.Sink].
//
//   - slog: what arrives is what log/slog demands of a handler. These are the
//     tests of package testing/slogtest.
//   - order: the records of a goroutine arrive in the order in which it logged
//     them. Several goroutines log more than fits into one batch.
//   - once: every record arrives exactly once on the happy path. The account of
//     the fan-out says the same.
//   - whole: a record arrives with every value that was logged. There is one of
//     every kind: the largest numbers, times with their offsets, quotes, line
//     breaks and emoji, errors, structs, groups in groups. See [Subject] for what
//     a value may look like.
//   - hostile: a record that is hard to deliver arrives once or is rejected alone.
//     It has NUL or invalid UTF-8 in it, a megabyte of message, a hundred groups in
//     each other, keys that are empty, there twice, or those of the built-ins.
//     Its neighbours arrive, in order, and no line is torn. What it looks like is
//     up to the sink.
//   - refused: a record that the destination refuses is rejected alone. These are
//     the records in Subject.Refused.
//   - verdicts: the error of Write says what a fault means, and nothing is lost
//     over it. While a fault of Subject.Faults lasts, every record that was not
//     delivered has the verdict that the fault wants, also in a [sinks.BatchError],
//     and the others have arrived. After it, everything arrives, once and in order,
//     but for what is refused, which the account has as rejected.
//   - idempotent: a batch that is written again leaves no duplicate. This is for
//     subjects that are Idempotent.
//   - context: a call returns soon after its context has ended, and claims nothing
//     that it has not done. Soon is 10 seconds. If the context had ended before
//     the call, the error says nothing about the records or the destination. With
//     a fault that hangs, Write returns an error, and Probe returns.
//   - probe: Probe finds a working destination usable, however often it is asked,
//     and writes nothing. It is for a [sinks.Prober].
//   - close: Close returns nil, also a second time, and leaves a sink that does not
//     panic. Nor does it mind if there was no Write; what was delivered is there
//     afterwards; and a Write that comes too late returns an error, or delivers.
//   - not-retained: nothing of a batch is kept after Write has returned. The memory
//     of the batch is overwritten as soon as it has, and its slice as well, and
//     what arrives has nothing of that.
//   - unchanged: Write changes nothing of its batch. That is the slice, the memory
//     behind the events, and their JSON.
//   - concurrency: sinks that are used at the same time do not disturb each other.
//     Some of the events are the same for all of them.
//   - goroutines: no goroutine of a sink outlives its Close. Those that open has
//     started may last until the end of its test, because some of them may be the
//     destination's; those that Write and Probe have started may not.
//   - secrets: no error and no warning shows a secret. None of Subject.Secrets is in
//     what %v, %+v and %#v print of an error, or of what it wraps, whichever rule it
//     was returned to.
//
// # Rules of URIs
//
// Each rule is a subtest of [TestURI]. The contract is [registry.Constructor].
//
//   - unknown-parameter: a parameter that there is not is an error that names it,
//     before anything is touched. No file is created, and nobody connects to a
//     listener that takes the place of the host.
//   - repeated-parameter: a parameter that is given twice is an error that names it.
//   - malformed-parameter: a malformed parameter is an error that names it and does
//     not show its value.
//   - all-at-once: everything that is wrong with the parameters is reported at once.
//   - no-secrets: no error shows more of a URI than scheme://host, and the path of a
//     local file. The secret is in the place of the user, the password, the path, and
//     the values of parameters.
//   - scheme-case: the case of the scheme does not matter.
//   - reopen: a sink that was closed can be opened again.
//
// # Faults
//
// A [Fault] is a pair of functions that break the destination and mend it, and
// the [Verdict] that is wanted meanwhile. [Server.Fault] makes one for a
// destination that is spoken to over HTTP; for others, put something between the
// sink and its destination that can fail, such as a file whose Write returns
// ENOSPC, or stop the server and start it again:
//
//	slogtest.Fault{
//		Name:  "disk full",
//		Begin: func() { disk.Fill() },
//		End:   func() { disk.Empty() },
//		Want:  slogtest.Hold,
//	}
//
// # Sinks for tests
//
// A [Recorder] keeps what it gets. [Failing], [Flaky], [Slow], [Panicking] and
// [Hanging] are what other sinks are to be unaffected by.
package slogtest
