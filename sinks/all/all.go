// Package all registers every sink that comes with fapilog, and every
// compression format, for programs that leave the choice to their
// configuration:
//
//	import _ "github.com/fapilog/fapilog/sinks/all"
//
// The price is the size of the program: it has the client libraries of all
// destinations. docs/sinks.md has a section for each sink.
package all

import (
	_ "github.com/fapilog/fapilog/sinks/elasticsearch"
	_ "github.com/fapilog/fapilog/sinks/file"
	_ "github.com/fapilog/fapilog/sinks/loki"
	_ "github.com/fapilog/fapilog/sinks/postgres"
	_ "github.com/fapilog/fapilog/sinks/redis"
	_ "github.com/fapilog/fapilog/sinks/slack"
	_ "github.com/fapilog/fapilog/sinks/stdio"
	_ "github.com/fapilog/fapilog/sinks/webhook"
	_ "github.com/fapilog/fapilog/zstd"
)
