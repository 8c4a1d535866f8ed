package elasticsearch

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/fapilog/fapilog/internal/httpsink"
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	// Index is the index; default DefaultIndex. What stands in braces is a date:
	// logs-{yyyy.MM.dd}. It is that of the record, in UTC, and is made of yyyy, MM,
	// dd and HH with '.', '-' or '_' between them.
	Index string

	DataStream string // instead of Index

	// NoCreate says that an index or data stream that is missing is an error, and is
	// not created. Those of an Index with a date are left to the server.
	NoCreate bool

	Compress string // of requests: "gzip" or "none" (default)

	Header http.Header // sent with each request; New copies it

	Username, Password string // for basic authentication

	// An API key, as id:key or as the base64 of that: at most one of them, and not
	// with other credentials.
	APIKey     string
	APIKeyFile string // path of a file, read again when it has changed
	APIKeyEnv  string // name of an environment variable, read by New

	// A bearer token: likewise.
	Token     string
	TokenFile string // path of a file, read again when it has changed
	TokenEnv  string // name of an environment variable, read by New

	// Proxy is "env" (default), "none", or the URL of a proxy.
	Proxy string

	CAFile   string // PEM file with the authorities to trust instead of the system's
	CertFile string // PEM file with a client certificate, read again when it has changed
	KeyFile  string // PEM file with its key, read again when it has changed
}

// client returns the options of the client.
func (o *Options) client(url string) httpsink.Options {
	return httpsink.Options{
		URL:        url,
		Username:   o.Username,
		Password:   o.Password,
		Token:      o.Token,
		TokenFile:  o.TokenFile,
		TokenEnv:   o.TokenEnv,
		APIKey:     o.APIKey,
		APIKeyFile: o.APIKeyFile,
		APIKeyEnv:  o.APIKeyEnv,
		Header:     o.Header,
		Proxy:      o.Proxy,
		CAFile:     o.CAFile,
		CertFile:   o.CertFile,
		KeyFile:    o.KeyFile,
		Compress:   o.Compress,
	}
}

// A problem is what is wrong with an option, under the name that it has as a
// parameter.
type problem struct{ name, reason string }

// load checks the options that are the sink's own, and sets what s needs of them.
func (o *Options) load(s *Sink) (problems []problem) {
	check := func(name string, err error) {
		if err != nil {
			problems = append(problems, problem{name, err.Error()})
		}
	}
	var err error
	if o.DataStream != "" {
		s.dataStream = true
		if o.Index != "" {
			check("data_stream", errors.New("there is an index as well, as the path of a URI: leave one of them out"))
		}
		s.index, err = parseIndex(o.DataStream)
		if err == nil && s.index.fixed == "" {
			err = errors.New("there is a date in it: data streams roll over by themselves")
		}
		check("data_stream", err)
		return problems
	}
	s.index, err = parseIndex(cmp.Or(o.Index, DefaultIndex))
	check("index", err)
	return problems
}
