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
// seen, at the line of the call of TestSink or TestURI:
//
//	sink_test.go:14: slogtest: rule "once": every record arrives exactly once on the happy path: record 17 of goroutine 2 arrived 2 times
//
// The first rule that fails is the one to look at: the rules are in an order in
// which each relies on those before it. What cannot be checked is skipped, with
// the reason, which go test prints with -v: because the subject does not tell
// what the rule needs, or because a call has hung in a rule before, or not even a
// single record arrives. A test that fails ends within about a minute, whatever
// is broken.
//
// Run the test with the race detector, too. Without it, the suite cannot see for
// certain that a goroutine reads a batch after Write has returned, that sinks
// share what they should not, or that a batch was changed and changed back. Run
// it without as well: there the sink is as fast as in production.
//
// # Rules of sinks
//
// Each rule is a subtest of [TestSink]. Where the contract is from is [sinks.Sink].
// Some rules call the sink as the fan-out does, others log to a fan-out. Like the
// fan-out, they make one call at a time, and call Close only when Write has
// returned: a fan-out that is shut down while Write hangs gives the sink up, and
// it is closed when Write returns, if the program still runs then. So Close need
// not be able to end a Write.
//
//   - close: Close returns nil, also a second time, and leaves a sink that does not
//     panic. Nor does it mind if there was no Write; what was delivered is there
//     afterwards; and a Write that comes too late returns an error, or delivers.
//     It is for an [io.Closer]. A call that has not returned after 10 seconds hangs.
//   - probe: Probe finds a working destination usable, however often it is asked,
//     and writes nothing. It is for a [sinks.Prober].
//   - once: every record arrives exactly once on the happy path. There is a batch of
//     a single record, one of the size that the fan-out has as its default, or that
//     a [sinks.Batcher] asks for if that is more, and several goroutines that log.
//     The account of the fan-out says the same.
//   - order: the records of a goroutine arrive in the order in which it logged
//     them. Several goroutines log more than fits into one batch.
//   - slog: what arrives is what log/slog demands of a handler. These are the
//     tests of package testing/slogtest.
//   - whole: a record arrives with every value that was logged. There is one of
//     every kind: the largest numbers, times with their offsets, quotes, line
//     breaks and emoji, errors, structs, groups in groups, a long message with
//     blanks around it. Of a time, what is less than a millisecond may be missing.
//     See [Subject] for what a value may look like.
//   - unchanged: Write changes nothing of its batch. That is the slice, the memory
//     behind the events, and their JSON.
//   - context: a call returns soon after its context has ended, and claims nothing
//     that it has not done. Soon is 10 seconds. If the context had ended before
//     the call, the error says nothing about the records or the destination. With
//     a fault that hangs, Write returns an error, and Probe returns.
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
//     with the delay that it wants, and the others have arrived. After it,
//     everything arrives, once and in order, but for what is refused, which the
//     account has as rejected, and for records that a BatchError sent back: they
//     come after those that it delivered. A batch that was refused as a whole, or
//     was too large, arrives in two parts.
//   - not-retained: nothing of a batch is kept after Write has returned. The memory
//     of the batch is overwritten as soon as it has, and its slice as well, and
//     nothing that arrives has anything of that in it, in whichever place. The same
//     goes for a batch whose Write has failed, with all of Subject.Faults that do
//     not hang.
//   - idempotent: a batch that is written again leaves no duplicate. Nor is a batch
//     of another log with the same sequence numbers taken for one, as a program has
//     that was started again. This is for subjects that are Idempotent.
//   - concurrency: sinks that are used at the same time do not disturb each other.
//     Some of the events are the same for all of them.
//   - goroutines: no goroutine of a sink outlives its Close. They get 2 seconds.
//     Those that open has started may last until the end of its test, because some
//     of them may be the destination's; those that Write and Probe have started may
//     not.
//   - secrets: no error, no warning and no panic shows a secret. None of
//     Subject.Secrets is in what %v, %+v and %#v print of an error, or of what it
//     wraps, whichever rule it was returned to.
//
// For a subject that is a Digest, "order" and "slog" are skipped, "once" is about
// how often each message is counted, and that what is not is rejected, "whole" is
// about levels and the beginnings of messages, and "hostile" about the number of
// what arrives.
//
// # Rules of URIs
//
// Each rule is a subtest of [TestURI]. The contract is [registry.Constructor].
//
//   - unknown-parameter: a parameter that there is not is an error that names it,
//     before anything is touched. No file is created, neither that of the URI nor
//     one in the working directory, and nobody connects to a listener that takes
//     the place of the host.
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
// ENOSPC, or stop the server and start it again. A server whose answers depend on
// the request has [Server.Handle].
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
// A [Recorder] keeps what it gets, and [Lookup] finds a value in a record.
// [Failing], [Flaky], [Slow], [Panicking] and [Hanging] are what other sinks are to
// be unaffected by.
package slogtest
