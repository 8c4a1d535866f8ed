// Package fapilog delivers the records of log/slog to several destinations at
// once, each named by a URI:
//
//	out, err := fapilog.Open(ctx, "stdout://", "file:///var/log/shop.log")
//	if err != nil {
//		log.Fatal(err) // everything that is wrong with any of the sinks
//	}
//	defer out.Close() // delivers what is left, within 5 seconds
//	slog.SetDefault(slog.New(fapilog.Handler(out, nil)))
//
// Without URIs, Open reads them from the environment (see [ConfigFromEnv]).
//
// # Flow
//
// A handler encodes each record once, on the goroutine that logs, and appends
// it once to a bounded buffer, whatever the number of sinks. Each sink has a
// worker, a goroutine that reads the buffer at its own pace, forms batches, and
// acts on what the sink answers. So a sink that is slow, down, panicking or
// hanging delays neither the program nor another sink.
//
// # Delivery
//
// A batch is sent until the sink acknowledges it, with an exponential backoff:
// at least once. Records that the destination refuses are rejected one by one,
// and do not take others with them. When the buffer is full, the sink that is
// behind loses its oldest records; the others lose nothing. Every record that
// is lost is counted ([Fanout.Stats]) and said on the fallback output, standard
// error by default.
//
// # Sinks
//
// The schemes stdout, stderr and file come with this package. Others are added
// by importing their package, or by package [registry]. Any [slog.Handler] is a
// sink by [sinks.FromHandler].
//
// # Secrets
//
// Whatever is printed about a sink shows no more of its URI than scheme://host.
package fapilog

import (
	_ "github.com/fapilog/fapilog/sinks/file"  // registers file
	_ "github.com/fapilog/fapilog/sinks/stdio" // registers stdout and stderr
)
