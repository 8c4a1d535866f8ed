package registry

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration returns the duration that s says: what [time.ParseDuration]
// understands ("250ms", "1h30m"), and days in front of it or alone ("7d",
// "1d12h"), each of 24 hours. Negative durations are errors.
//
// The error does not repeat s.
func ParseDuration(s string) (time.Duration, error) {
	const what = "registry: parse duration: "
	var days time.Duration
	number, rest, found := strings.Cut(s, "d")
	if found {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, errors.New(what + "the days are not a whole number from 0 to 106751")
		}
		if days = time.Duration(n) * day; rest == "" {
			return days, nil
		}
		s = rest
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > math.MaxInt64-days || strings.HasPrefix(s, "-") || found && strings.HasPrefix(s, "+") {
		return 0, errors.New(what + "not a duration of zero or more, with its unit, as 250ms, 1m30s or 7d")
	}
	return days + d, nil
}
