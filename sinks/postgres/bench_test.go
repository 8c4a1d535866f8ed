package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
)

// BenchmarkWrite compares the sink with what a program would do by itself, a
// CopyFrom of pgx into the same table, for several sizes of batches. The server
// syncs to its disk. "again" is what happens after an answer was lost. An
// operation is a record.
func BenchmarkWrite(b *testing.B) {
	p := testserver.StartPostgres(b, "fsync=on")
	user := p.User("app")
	for _, size := range []int{100, 1000, 5000, 10_000} {
		records := make([]slog.Record, size)
		for i := range records {
			records[i] = slog.NewRecord(time.Now(), slog.LevelInfo, "request served", 0)
			records[i].Add("method", "GET", "path", "/api/orders/4711", "status", 200, "duration", 1234*time.Microsecond, "i", i)
		}
		for _, how := range []string{"sink", "again", "CopyFrom"} {
			b.Run(fmt.Sprintf("%s/records=%d", how, size), func(b *testing.B) {
				s := sinktest.MustOpenURI(b, p.URI(user, ""))
				require.NoError(b, sinktest.Probe(b, s))
				p.Exec("TRUNCATE logs")
				conn, err := p.Connect(p.Database)
				require.NoError(b, err)
				defer conn.Close(context.Background())
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					log := fmt.Sprintf("%026d", n)
					if how == "CopyFrom" {
						_, err := conn.CopyFrom(context.Background(), pgx.Identifier{"logs"}, []string{"log_id", "seq", "time", "level", "message", "service", "attrs"},
							pgx.CopyFromSlice(size, func(i int) ([]any, error) {
								attrs := []byte(fmt.Sprintf(`{"method":"GET","path":"/api/orders/4711","status":200,"duration":1234000,"i":%d}`, i))
								return []any{log, int64(i + 1), records[i].Time, "INFO", records[i].Message, nil, attrs}, nil
							}))
						require.NoError(b, err)
						continue
					}
					b.StopTimer()
					if how == "again" {
						log = "log"
					}
					batch := sinktest.NewLog(log, "").Batch(records...)
					b.StartTimer()
					require.NoError(b, s.Write(context.Background(), batch))
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
