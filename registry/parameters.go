package registry

import (
	"slices"
	"time"
)

// A Kind says how the value of a parameter is written.
type Kind string

// The kinds, each with the accessor that reads it.
const (
	KindText     Kind = "text"     // anything: [URI.Text], [URI.Public]
	KindBool     Kind = "bool"     // true or false: [URI.Bool]
	KindInt      Kind = "int"      // 200: [URI.Int]
	KindSize     Kind = "size"     // 64MiB: [URI.Size]
	KindDuration Kind = "duration" // 1m30s: [URI.Duration]
	KindLevel    Kind = "level"    // info+2: [URI.Level]
	KindEnum     Kind = "enum"     // one of Words: [URI.Enum]
	KindList     Kind = "list"     // a,b,c: [URI.List]
	KindPairs    Kind = "pairs"    // a=1,b=2: [URI.Pairs]
)

// A Parameter is one that a constructor has asked a URI for.
type Parameter struct {
	Name string
	Kind Kind
	// Default is what the constructor takes if the parameter is not given, as
	// it would be written, or "" if there is no such thing. Sizes are in bytes.
	Default string
	Words   []string // that are allowed, if Kind is KindEnum
}

// Parameters returns the parameters that accessors were called for, in the
// order of the calls: after a constructor has run, whether it succeeded or not,
// those of its sink. It is what documentation and tests can be compared with.
// The parameters that every sink has are not among them.
//
// With a parameter that nobody knows, Check fails, so that
//
//	uri, _ := registry.Parse("loki://localhost?unknown=1")
//	_, err := registry.Default().Open(ctx, uri)
//
// connects to nothing and is enough to learn them all.
func (u *URI) Parameters() []Parameter { return slices.Clone(u.state().asked[u.view]) }

// ask is lookup for an accessor.
func (u *URI) ask(name string, kind Kind, def string, words ...string) *param {
	st := u.state()
	if st.asked == nil {
		st.asked = make(map[int][]Parameter)
	}
	if asked := st.asked[u.view]; !slices.ContainsFunc(asked, func(p Parameter) bool { return p.Name == name }) {
		st.asked[u.view] = append(asked, Parameter{name, kind, def, slices.Clone(words)})
	}
	return u.lookup(name)
}

// durationText returns d as it is written, or "" for zero, which is none.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
