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
	differ := func(key string, want, got any) error {
		return fmt.Errorf("the %s of %.40q is %v instead of %v", key, want, got, want)
	}
	var errs []error
	if got[slog.MessageKey] != want.Message {
		errs = append(errs, fmt.Errorf("a message is %q instead of %q", got[slog.MessageKey], want.Message))
	}
	if level, _ := got[slog.LevelKey].(string); !strings.EqualFold(level, want.Level.String()) {
		errs = append(errs, fmt.Errorf("the level of %q is %v instead of %v", want.Message, got[slog.LevelKey], want.Level))
	}
	if !sameTime(want.Time, got[slog.TimeKey], false) {
		errs = append(errs, differ("time", want.Time, got[slog.TimeKey]))
	}
	for a := range want.Attrs {
		errs = append(errs, sameAttr("", a, got))
	}
	return errors.Join(errs...)
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
		return fmt.Errorf("the attribute %q, which is %s, is %#v instead of %v", path, want.Value.Kind(), got, want.Value)
	}
	return nil
}

func sameGroup(path string, want []slog.Attr, got any) error {
	in, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("the group %q is %#v", path, got)
	}
	var errs []error
	for _, a := range want {
		errs = append(errs, sameAttr(path+".", a, in))
	}
	if len(in) > len(want) {
		errs = append(errs, fmt.Errorf("the group %q has more in it than was logged: %v", path, in))
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

// sameTime compares an instant, to the millisecond or as exactly as got is
// written, and if zone is set, the offset from UTC as well.
func sameTime(want time.Time, got any, zone bool) bool {
	at, ok := got.(time.Time)
	if text, is := got.(string); is {
		var err error
		at, err = time.Parse(time.RFC3339Nano, text)
		ok = err == nil
	}
	if !ok {
		return false
	}
	precision := time.Millisecond
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		precision = time.Microsecond
	}
	if at.Nanosecond()%int(time.Microsecond) != 0 {
		precision = time.Nanosecond
	}
	_, wantOffset := want.Zone()
	_, offset := at.Zone()
	return at.Equal(want.Truncate(precision)) && (!zone || offset == wantOffset)
}
