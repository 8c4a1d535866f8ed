package registry

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the units of [ParseSize], in lower case.
var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseSize returns the number of bytes that s says. It is a whole number and
// a unit: B, or none, for bytes, kB, MB, GB and TB for powers of 1000, KiB,
// MiB, GiB and TiB for powers of 1024, in upper or lower case. "10MB" is ten
// million bytes, "64MiB" is 67,108,864. A unit such as "M", which means either
// to somebody, is an error, as are signs, fractions and sizes of 2^63 bytes
// and more.
//
// The error does not repeat s.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimLeft(s, "0123456789")
	number, unit := s[:len(s)-len(digits)], strings.ToLower(digits)
	factor, ok := sizeUnits[unit]
	if number == "" || !ok {
		return 0, errors.New("registry: parse size: neither a number of bytes nor one with a unit, as 64MiB (powers of 1024) or 10MB (powers of 1000)")
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/factor {
		return 0, errors.New("registry: parse size: 2^63 bytes or more")
	}
	return n * factor, nil
}
