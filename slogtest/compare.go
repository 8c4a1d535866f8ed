package slogtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// sameRecord compares a record with what has arrived of it, which may be values
// as JSON has them, or text, and have more at the top.
func sameRecord(want slog.Record, got map[string]any) error {
	var errs []error
	if got[slog.MessageKey] != want.Message {
		errs = append(errs, differentMessage(want.Message, got[slog.MessageKey]))
	}
	if level, _ := got[slog.LevelKey].(string); !strings.EqualFold(level, want.Level.String()) {
		errs = append(errs, fmt.Errorf("the level of %.40q is %v instead of %v", want.Message, got[slog.LevelKey], want.Level))
	}
	if !sameTime(want.Time, got[slog.TimeKey], false) {
		errs = append(errs, fmt.Errorf("the time of %.40q is %#v instead of %s", want.Message, got[slog.TimeKey], wanted(slog.TimeValue(want.Time))))
	}
	for a := range want.Attrs {
		errs = append(errs, sameAttr("", a, got))
	}
	return errors.Join(errs...)
}

// differentMessage says what has become of a message, also if it is a long one.
func differentMessage(want string, got any) error {
	text, ok := got.(string)
	if !ok {
		return fmt.Errorf("a message is %#v instead of %.100q", got, want)
	}
	if len(want) > 100 {
		return fmt.Errorf("a message of %d bytes arrived with %d bytes: %.30q to %.30q instead of %.30q to %.30q",
			len(want), len(text), text, text[max(len(text)-20, 0):], want, want[len(want)-20:])
	}
	return fmt.Errorf("a message is %q instead of %q", text, want)
}

// sameAttr compares an attribute with that of its key in a record or group.
func sameAttr(path string, want slog.Attr, in map[string]any) error {
	path += want.Key
	got, ok := in[want.Key]
	if !ok {
		return fmt.Errorf("the attribute %q is missing", path)
	}
	if want.Value.Kind() == slog.KindGroup {
		return sameGroup(path, want.Value.Group(), got)
	}
	if !sameValue(want.Value, got) {
		return fmt.Errorf("the attribute %q, which is %s, is %.300s instead of %s", path, want.Value.Kind(), fmt.Sprintf("%#v", got), wanted(want.Value))
	}
	return nil
}

// wanted describes a value in the forms that it may have, see [Subject].
func wanted(v slog.Value) string {
	switch v.Kind() {
	case slog.KindString:
		return fmt.Sprintf("%.300q", v.String())
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		return v.String() + ", as a json.Number (see ParseJSON) or anything else that has all digits"
	case slog.KindDuration:
		return fmt.Sprintf("%d (nanoseconds) or %q", v.Duration().Nanoseconds(), v.Duration())
	case slog.KindTime:
		return fmt.Sprintf("%q, as RFC 3339 has it, or a time.Time", v.Time().Format(time.RFC3339Nano))
	case slog.KindBool:
		return fmt.Sprintf("%v or %q", v.Bool(), v.String())
	}
	switch a := v.Any().(type) {
	case nil:
		return `nil, "null" or "<nil>"`
	case error:
		return strconv.Quote(a.Error())
	case []byte:
		return fmt.Sprintf("%q or, in base64, %q", a, base64.StdEncoding.EncodeToString(a))
	default:
		doc, err := json.Marshal(a)
		if err != nil {
			return fmt.Sprint(a)
		}
		return string(doc) + ", decoded or as text"
	}
}

func sameGroup(path string, want []slog.Attr, got any) error {
	in, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("the group %q is %.300s instead of a map[string]any with %v", path, fmt.Sprintf("%#v", got), want)
	}
	var errs []error
	for _, a := range want {
		errs = append(errs, sameAttr(path+".", a, in))
	}
	if len(in) > len(want) {
		errs = append(errs, fmt.Errorf("the group %q has more in it than was logged: %v instead of %v", path, in, want))
	}
	return errors.Join(errs...)
}

func sameValue(want slog.Value, got any) bool {
	switch want.Kind() {
	case slog.KindString:
		return got == want.String()
	case slog.KindInt64, slog.KindUint64:
		return sameNumber(want.String(), got)
	case slog.KindFloat64:
		f, err := strconv.ParseFloat(numberText(got), 64)
		return err == nil && f == want.Float64()
	case slog.KindBool:
		return got == want.Bool() || got == want.String()
	case slog.KindDuration:
		if text, ok := got.(string); ok {
			if d, err := time.ParseDuration(text); err == nil {
				return d == want.Duration()
			}
		}
		return sameNumber(strconv.FormatInt(int64(want.Duration()), 10), got)
	case slog.KindTime:
		return sameTime(want.Time(), got, true)
	default:
		return sameAny(want.Any(), got)
	}
}

// sameAny compares a value that is no scalar.
func sameAny(want, got any) bool {
	switch want := want.(type) {
	case nil:
		return got == nil || got == "null" || got == "<nil>"
	case error:
		return got == want.Error()
	case []byte:
		return got == string(want) || got == base64.StdEncoding.EncodeToString(want)
	}
	doc, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var value any
	if decodeJSON(string(doc), &value) != nil {
		return false
	}
	if text, ok := got.(string); ok && decodeJSON(text, &got) != nil {
		return false
	}
	return sameJSON(value, got)
}

// sameJSON compares a decoded JSON value.
func sameJSON(want, got any) bool {
	switch want := want.(type) {
	case json.Number:
		return sameNumber(want.String(), got)
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for i := range want {
			if !sameJSON(want[i], got[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for k := range want {
			if v, ok := got[k]; !ok || !sameJSON(want[k], v) {
				return false
			}
		}
		return true
	default:
		return want == got
	}
}

// numberText returns a number as it is written, or "" for what is none.
func numberText(got any) string {
	switch v := reflect.ValueOf(got); {
	case !v.IsValid():
		return ""
	case v.Kind() == reflect.String: // also a json.Number
		return v.String()
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return ""
	}
}

// sameNumber compares with all digits.
func sameNumber(want string, got any) bool {
	a, ok1 := new(big.Rat).SetString(want)
	b, ok2 := new(big.Rat).SetString(numberText(got))
	return ok1 && ok2 && a.Cmp(b) == 0
}

// sameTime compares an instant, to the millisecond, which is what destinations
// keep at least, and if zone is set, the offset from UTC as well.
func sameTime(want time.Time, got any, zone bool) bool {
	at, ok := got.(time.Time)
	if text, is := got.(string); is {
		var err error
		at, err = time.Parse(time.RFC3339Nano, text)
		ok = err == nil
	}
	_, wantOffset := want.Zone()
	_, offset := at.Zone()
	return ok && at.Sub(want).Abs() < time.Millisecond && (!zone || offset == wantOffset)
}
