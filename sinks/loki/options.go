package loki

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// DefaultMaxLineSize is the longest line that is sent, in bytes: what Loki takes.
const DefaultMaxLineSize = 256 << 10

// DefaultServiceLabel is the label for the service.
const DefaultServiceLabel = serviceName

// none stands for no label for the service.
const none = "none"

// DefaultMetadataKeys returns the keys of attributes that become structured
// metadata.
func DefaultMetadataKeys() []string { return []string{"trace_id", "span_id"} }

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	// Labels are those of every stream. With LabelKeys there are at most 15; a
	// value has at most 2048 bytes. New copies it.
	Labels map[string]string

	// LabelKeys are the keys of attributes that become labels. "level" is the
	// level of the record. Few, with few values each.
	LabelKeys []string

	// ServiceLabel is the label that is the service of the configuration; default
	// DefaultServiceLabel. "none" leaves it out. If Labels has it, that counts.
	ServiceLabel string

	// MetadataKeys are the keys of attributes that become structured metadata, at
	// most 24; default DefaultMetadataKeys, if nil.
	MetadataKeys []string

	// RecordID says that the identity of each record is structured metadata:
	// log_id and log_seq, the number of the record in the log.
	RecordID bool

	Tenant string // X-Scope-OrgID: letters, digits and !-_.*'(), at most 150

	// MaxLineSize is the longest line that is sent, in bytes; default
	// DefaultMaxLineSize, negative: no limit.
	MaxLineSize int64

	Header http.Header // sent with each request; New copies it

	Username, Password string // for basic authentication

	// A bearer token: at most one of them, and not with a Username or the header
	// Authorization.
	Token     string
	TokenFile string // path of a file, read again when it has changed
	TokenEnv  string // name of an environment variable, read by New

	// Proxy is "env" (default), "none", or the URL of a proxy.
	Proxy string

	CAFile   string // PEM file with the authorities to trust instead of the system's
	CertFile string // PEM file with a client certificate, read again when it has changed
	KeyFile  string // PEM file with its key, read again when it has changed
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
	s.labeler.fixed, err = o.labels()
	check("labels", err)
	s.labeler.keys, err = sources(o.LabelKeys, maxLabels, maxLabelName)
	check("label_keys", err)
	has := func(name string) bool {
		return slices.ContainsFunc(s.labeler.fixed, func(l pair) bool { return l.name == name })
	}
	fromKey := func(name string) bool {
		return slices.ContainsFunc(s.labeler.keys, func(k source) bool { return k.name == name })
	}
	for _, k := range s.labeler.keys {
		if has(k.name) {
			check("label_keys", errors.New("labels has one of the names, too"))
			break
		}
	}
	s.labeler.service = cmp.Or(o.ServiceLabel, DefaultServiceLabel)
	switch name := s.labeler.service; {
	case name == none:
		s.labeler.service = ""
	case checkName(name) != nil:
		check("service_label", errors.New("not the name of a label: write for example service_label=service, or none"))
	case fromKey(name):
		check("service_label", errors.New("label_keys has that name, too"))
	case has(name):
		s.labeler.service = ""
	}
	if n := s.labeler.most(); n > maxLabels {
		check("labels", fmt.Errorf("there are %d labels with those of label_keys and the service: Loki takes %d", n, maxLabels))
	}

	keys := o.MetadataKeys
	if keys == nil {
		keys = DefaultMetadataKeys()
	}
	s.metadata, err = sources(keys, maxMetadata, maxMetadataName)
	check("metadata_keys", err)
	s.recordID = o.RecordID
	if o.RecordID && slices.ContainsFunc(s.metadata, func(k source) bool { return k.name == logID || k.name == logSeq }) {
		check("metadata_keys", errors.New("log_id and log_seq are those of record_id"))
	}

	check("tenant", checkTenant(o.Tenant, o.Header))
	if o.Tenant != "" && s.header != nil {
		s.header["X-Scope-Orgid"] = []string{o.Tenant}
	}
	switch {
	case o.MaxLineSize < 0:
		s.maxLine = -1
	case o.MaxLineSize == 0:
		s.maxLine = DefaultMaxLineSize
	default:
		s.maxLine = int(min(o.MaxLineSize, maxRequest))
	}
	return problems
}

func (o *Options) labels() ([]pair, error) {
	var list []pair
	for name, value := range o.Labels {
		switch err := checkName(name); {
		case err != nil:
			return nil, err
		case value == "":
			return nil, errors.New("a value is empty, which is as good as no label")
		case len(value) > maxLabelValue:
			return nil, fmt.Errorf("a value has more than %d bytes", maxLabelValue)
		case strings.ContainsRune(value, utf8.RuneError): // also true of invalid UTF-8
			return nil, errors.New("a value is not UTF-8, or has the character U+FFFD, which Loki takes for that")
		}
		list = append(list, pair{name, value})
	}
	return list, nil
}

const tenantHeader = "X-Scope-OrgID"

// checkTenant checks a tenant as Loki does (dskit, tenant.ValidTenantID).
func checkTenant(tenant string, header http.Header) error {
	if tenant == "" {
		return nil
	}
	for name := range header {
		if strings.EqualFold(name, tenantHeader) {
			return errors.New("headers has " + tenantHeader + ", too")
		}
	}
	if tenant == "." || tenant == ".." || len(tenant) > 150 || strings.ContainsFunc(tenant, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!-_.*'()", r)
	}) {
		return errors.New("not a tenant of Loki: at most 150 letters, digits and !-_.*'()")
	}
	return nil
}
