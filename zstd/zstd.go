// Package zstd gives the sinks that compress, file and webhook, the format
// zstd. It is imported for that alone:
//
//	import _ "github.com/fapilog/fapilog/zstd"
//
// Then compress=zstd in a URI works, which without it is an error at start-up.
// The level is the fastest.
package zstd

import (
	"github.com/klauspost/compress/zstd"

	"github.com/fapilog/fapilog/internal/compress"
)

func init() {
	compress.Register(compress.Format{Name: "zstd", Extension: ".zst", New: func() compress.Writer {
		// One goroutine: those of an encoder outlive it otherwise.
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			panic("zstd: new encoder: " + err.Error()) // the options are wrong
		}
		return w
	}})
}
