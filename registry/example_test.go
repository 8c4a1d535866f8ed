package registry_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// udpSink stands for a destination of your own.
type udpSink struct {
	addr  string
	limit int64
}

func (s *udpSink) Write(_ context.Context, batch []sinks.Event) error {
	for _, e := range batch {
		if line := e.JSON(); int64(len(line)) > s.limit {
			return sinks.Permanent(fmt.Errorf("udp: record of %d bytes", len(line)))
		}
	}
	return nil
}

// A sink of your own: a type with one method, and a constructor. A package
// would call the function registry.Register in its init, which registers the
// scheme for fapilog.Open.
func Example() {
	var r registry.Registry
	r.Register("udp", func(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
		limit := uri.Size("max_datagram", 1400)
		if uri.Host == "" {
			return nil, fmt.Errorf("udp: no host: write udp://host:port")
		}
		return &udpSink{addr: uri.Host, limit: limit}, nil
	})

	for _, raw := range []string{"udp://collector:514?max_datagram=8KiB", "udp://collector:514?maxDatagram=8KiB", "udp"} {
		uri, err := registry.Parse(raw)
		if err != nil {
			fmt.Println(err)
			continue
		}
		sink, err := r.Open(context.Background(), uri)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%+v\n", sink)
	}
	// Output:
	// &{addr:collector:514 limit:8192}
	// registry: check udp://collector:514: parameter maxDatagram: unknown: did you mean max_datagram?
	// registry: open udp://: udp: no host: write udp://host:port
}

// Any slog.Handler is a sink.
func ExampleRegistry_RegisterHandler() {
	var r registry.Registry
	r.RegisterHandler("text", func(_ context.Context, uri *registry.URI) (slog.Handler, error) {
		return slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
			AddSource: uri.Bool("source", false),
			Level:     uri.Level("min", slog.LevelInfo),
		}), uri.Check()
	})
	fmt.Println(r.Schemes())
	// Output: [text]
}

func ExampleRegistry_Split() {
	for _, uri := range registry.Default().Split("stdout://, loki://loki:3100?labels=app=shop,env=prod, my_sink://h1:80,h2:80") {
		fmt.Println(uri)
	}
	// Output:
	// stdout://
	// loki://loki:3100?labels=app=shop,env=prod
	// my_sink://h1:80,h2:80
}

func ExampleParse() {
	uri, err := registry.Parse("postgres://app:p%40ss@h1:5432,h2:5432/logs?table=records")
	if err != nil {
		panic(err)
	}
	fmt.Println(uri.Scheme, uri.Host, uri.Path, uri.User(), uri.Text("table", "fapilog"))
	fmt.Printf("%+v\n", uri)
	// Output:
	// postgres h1:5432,h2:5432 /logs app records
	// postgres://h1:5432,h2:5432
}

func ExampleURI_Check() {
	uri, err := registry.Parse("file:logs/app.log?maxBytes=10MB&max_backups=many&compress=yes")
	if err != nil {
		panic(err)
	}
	uri.Size("max_bytes", 64<<20)
	uri.Int("max_backups", 3, 0, 1000)
	uri.Enum("compress", "none", "none", "gzip", "zstd")
	fmt.Println(uri.Check())
	// Output:
	// registry: check file:logs/app.log: parameter maxBytes: unknown: did you mean max_bytes?
	// registry: check file:logs/app.log: parameter max_backups: not an integer from 0 to 1000: write for example max_backups=3
	// registry: check file:logs/app.log: parameter compress: not one of none, gzip, zstd
}

func ExampleURI_LocalPath() {
	for _, raw := range []string{"file:logs/app.log", "file:///var/log/app%20one.log", "file://logs/app.log"} {
		uri, err := registry.Parse(raw)
		if err != nil {
			panic(err)
		}
		fmt.Println(uri.LocalPath())
	}
	// Output:
	// logs/app.log <nil>
	// /var/log/app one.log <nil>
	//  "logs" would be a host: did you mean file:logs/app.log (relative) or file:///logs/app.log (absolute)?
}

func ExampleURI_Redact() {
	uri, err := registry.Parse("slack://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX")
	if err != nil {
		panic(err)
	}
	fmt.Println(uri.Redact(`Post "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX": EOF`))
	// Output: Post "https://hooks.slack.com***": EOF
}
