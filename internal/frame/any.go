package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"unsafe"
)

// any appends a value of slog.KindAny. It is rendered here, because the caller
// may change it as soon as the log call returns.
func (st *state) any(key string, v any) bool {
	switch v := v.(type) {
	case nil:
		if key == "" {
			return false // the zero Attr
		}
		st.buf = appendKey(st.buf, kindNull, key)
	case *slog.Source:
		return st.source(key, v)
	case slog.Level: // built-in, when there is a ReplaceAttr; marshals as its String
		st.buf = appendText(st.buf, kindString, key, v.String())
	case []byte:
		if v == nil {
			st.buf = appendKey(st.buf, kindNilBytes, key)
			break
		}
		st.buf = appendText(st.buf, kindBytes, key, unsafe.String(unsafe.SliceData(v), len(v)))
	default:
		st.marshal(key, v)
	}
	return true
}

// marshal appends what slog prints for v: the text of an error, or else what
// encoding/json makes of it. Failures and panics of user code become values.
func (st *state) marshal(key string, v any) {
	mark := len(st.buf)
	defer func() {
		if r := recover(); r != nil {
			text := "<nil>" // most likely a method that does not expect a nil receiver
			if rv := reflect.ValueOf(v); rv.Kind() != reflect.Pointer || !rv.IsNil() {
				text = fmt.Sprintf("!PANIC: %v", r)
			}
			st.buf = appendText(st.buf[:mark], kindString, key, text)
		}
	}()

	_, marshals := v.(json.Marshaler)
	if err, ok := v.(error); ok && !marshals {
		st.buf = appendText(st.buf, kindError, key, err.Error())
		return
	}
	m := marshalerPool.Get().(*marshaler)
	defer m.free()
	if err := m.enc.Encode(v); err != nil {
		st.buf = appendText(st.buf, kindString, key, fmt.Sprintf("!ERROR:%v", err))
		return
	}
	doc := m.buf.Bytes()
	doc = doc[:len(doc)-1] // the newline
	st.buf = appendJSONValue(st.buf, key, unsafe.String(unsafe.SliceData(doc), len(doc)))
}

// appendJSONValue appends a JSON value as the simplest kind that renders as
// the same bytes. What marshals as a string is mostly plain ASCII: it becomes
// a string, and need not be decoded when it is read.
func appendJSONValue(b []byte, key, doc string) []byte {
	if doc == "null" {
		return appendKey(b, kindNull, key)
	}
	if len(doc) >= 2 && doc[0] == '"' && safePrefix(doc[1:]) == len(doc)-2 {
		return appendText(b, kindString, key, doc[1:len(doc)-1])
	}
	return appendText(b, kindJSON, key, doc)
}

// marshaler is a json.Encoder that does not escape HTML, as slog's.
type marshaler struct {
	buf bytes.Buffer
	enc *json.Encoder
}

var marshalerPool = sync.Pool{New: func() any {
	m := new(marshaler)
	m.enc = json.NewEncoder(&m.buf)
	m.enc.SetEscapeHTML(false)
	return m
}}

func (m *marshaler) free() {
	const maxKept = 16 << 10
	if m.buf.Cap() > maxKept {
		return
	}
	m.buf.Reset()
	marshalerPool.Put(m)
}
