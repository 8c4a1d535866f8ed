package redis_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/redis"
	"github.com/fapilog/fapilog/slogtest"
)

const password = "secret-password"

// Each subject has a server of its own, and a relay before it. The server takes
// records of up to 2 MiB.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redis.Options{
		"stream":  {Stream: "shop"},
		"list":    {List: "shop", DB: 3},
		"channel": {Channel: "shop"},
	} {
		o.Username, o.Password = "app", password
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				server := testserver.StartRedis(t, "--proto-max-bulk-len", "2mb", "--busy-reply-threshold", "1",
					"--user", "app", "on", ">"+password, "~shop", "&shop", "+xadd", "+rpush", "+ltrim", "+publish", "+select")
				r := newRelay(t, server.Address)
				sink, err := redis.New(r.address, o)
				require.NoError(t, err)
				huge := slog.NewRecord(time.Now(), slog.LevelInfo, strings.Repeat("x", 3<<20), 0)
				s := slogtest.Subject{
					Sink:       sink,
					Secrets:    []string{password},
					Refused:    []slog.Record{huge},
					Idempotent: o.Stream != "", // for those who look at the ids
				}
				switch name {
				case "stream":
					s.Records, s.Faults = streamed(t, server.Address, o), append(faults(t, server, r, "xadd"), wrongType(t, server))
				case "list":
					s.Records, s.Faults = listed(t, server.Address, o), faults(t, server, r, "rpush")
				case "channel": // those who listen would notice a server that is killed, too
					s.Records = published(t, server.Address, o)
				}
				return s
			})
		})
	}
}

func TestURI(t *testing.T) {
	address := testserver.RedisAddress(t)
	slogtest.TestURI(t, "redis://"+address+"/1?stream=uri", "list=", "maxlen=-1", "ca_file=/x", "channel=x")
}
