package registry_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func registered(schemes ...string) *registry.Registry {
	var r registry.Registry
	for _, scheme := range schemes {
		r.Register(scheme, func(context.Context, *registry.URI) (sinks.Sink, error) { return &sink{}, nil })
	}
	return &r
}

func TestSplit(t *testing.T) {
	t.Parallel()
	r := registered("stdout", "stderr", "file", "loki", "postgres", "redis")
	for list, want := range map[string][]string{
		"":                               nil,
		" , ,":                           nil,
		"stdout":                         {"stdout"},
		"stdout://,loki://loki:3100":     {"stdout://", "loki://loki:3100"},
		"stdout,loki://loki:3100":        {"stdout", "loki://loki:3100"},
		"STDOUT,FILE:a.log":              {"STDOUT", "FILE:a.log"},
		" stdout , \n loki://h , stderr": {"stdout", "loki://h", "stderr"},
		",stdout,,,stderr,":              {"stdout", "stderr"},
		"loki://h,,stderr,,":             {"loki://h", "stderr"},
		"loki://loki:3100?labels=app=shop,env=prod":                {"loki://loki:3100?labels=app=shop,env=prod"},
		"loki://loki:3100?labels=app=shop,env=prod,stdout":         {"loki://loki:3100?labels=app=shop,env=prod", "stdout"},
		"loki://loki:3100?labels=app=shop,env=prod,file:a.log":     {"loki://loki:3100?labels=app=shop,env=prod", "file:a.log"},
		"loki://h?labels=a=b, env=prod, my_sink://localhost:8080":  {"loki://h?labels=a=b, env=prod", "my_sink://localhost:8080"},
		"postgres://u:p,w@h1:5432,h2:5432/db?x=1,2,stdout?level=x": {"postgres://u:p,w@h1:5432,h2:5432/db?x=1,2", "stdout?level=x"},
		"postgres://h1,h2,h3/db,stderr":                            {"postgres://h1,h2,h3/db", "stderr"},
		// Hosts that are called as a scheme is.
		"redis://redis:6379,redis:6380/0,redis:6381": {"redis://redis:6379,redis:6380/0", "redis:6381"},
		"postgres://db,postgres/logs":                {"postgres://db,postgres/logs"},
		"redis://a,redis:6380?x=1":                   {"redis://a,redis:6380?x=1"},
		"redis://a,file:2024.log":                    {"redis://a", "file:2024.log"},
		// A scheme alone ends at the comma, whatever follows.
		"stdout,lokii":                                {"stdout", "lokii"},
		"stdout://,lokii:3100":                        {"stdout://", "lokii:3100"},
		"stdot,stdout":                                {"stdot", "stdout"},
		"file:a,b.log,stdout":                         {"file:a,b.log", "stdout"},
		"file:a.log,stdout.log":                       {"file:a.log,stdout.log"},
		"file:a.log,stdout/log":                       {"file:a.log,stdout/log"},
		"stdout?match=a=b,c!=d":                       {"stdout?match=a=b,c!=d"},
		"stdout?match=!a,stderr":                      {"stdout?match=!a", "stderr"},
		"webhook://h?to=http%3A//x%2Chttp://y,1x://z": {"webhook://h?to=http%3A//x%2Chttp://y,1x://z"},
	} {
		require.Equal(t, want, r.Split(list), list)
	}

	// Without a registration, only what has "://" is a new URI.
	require.Equal(t, []string{"loki://h,file:a", "x://y"}, registered().Split("loki://h,file:a,x://y"))
}

// What is joined with commas is split into the same again.
func TestSplitUndoesJoin(t *testing.T) {
	t.Parallel()
	r := registered("stdout", "stderr", "file", "loki", "postgres")
	pieces := []string{
		"stdout", "stderr", "stdout://", "STDERR", "stdout?level=warn", "stderr://?match=a=b,!c,d!=5*", "file:logs/a,b.log",
		"file:///var/log/app%20one.log?max_bytes=10MB", "loki://loki:3100?labels=app=shop,env=prod", "loki://a", "loki://loki:3100",
		"postgres://u:p,w@h1:5432,h2:5432/db?sslmode=require", "postgres://h1,h2", "my_sink://localhost:8080", "postgres:///db",
		"file:logs/1", "unknown://x?y=z,1",
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var list []string
		for range rnd.IntN(6) {
			list = append(list, pieces[rnd.IntN(len(pieces))])
		}
		comma := []string{",", " , ", ",,", ",\n"}[rnd.IntN(4)]
		require.Equal(t, list, r.Split(strings.Join(list, comma)), "%q", list)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("stdout://,loki://loki:3100?labels=app=shop,env=prod")
	f.Add("postgres://h1:5432,h2:5432/db, stdout?x=1,,file:a,b")
	f.Add("redis://a,redis:1,stdout")
	f.Add("://0,redis:0 ")
	r := registered("stdout", "file", "redis")
	f.Fuzz(func(t *testing.T, list string) {
		uris := r.Split(list)
		for _, uri := range uris {
			require.NotEmpty(t, strings.Trim(uri, ", \t\r\n"))
			require.Contains(t, list, uri)
			if u, err := registry.Parse(uri); err == nil {
				_ = u.Redact(list)
			}
		}
		require.Equal(t, uris, r.Split(strings.Join(uris, ",")))
	})
}
