package frame

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"
)

// stamp is a time as it is kept in a frame: all of time.Time's range, exactly,
// with the zone as an offset.
type stamp struct {
	sec  int64
	nsec uint32
	zone int32 // seconds east of UTC
}

func stampOf(t time.Time) stamp {
	_, zone := t.Zone()
	return stamp{
		sec:  t.Unix(),
		nsec: uint32(t.Nanosecond()),
		zone: int32(min(max(zone, math.MinInt32), math.MaxInt32)),
	}
}

func (s stamp) time() time.Time {
	return time.Unix(s.sec, int64(s.nsec)).In(location(s.zone))
}

func (s stamp) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.sec))
	return binary.LittleEndian.AppendUint64(dst, uint64(s.nsec)|uint64(uint32(s.zone))<<32)
}

// locations holds the zones that exist, the multiples of a quarter of an hour
// up to 16 hours either way, as far as they have been seen. It saves an
// allocation for each time that is decoded.
var locations [2*zoneSteps + 1]atomic.Pointer[time.Location]

const (
	zoneStep  = 15 * 60
	zoneSteps = 16 * 60 * 60 / zoneStep
)

func location(zone int32) *time.Location {
	if zone == 0 {
		return time.UTC
	}
	step := zone / zoneStep
	if zone%zoneStep != 0 || step < -zoneSteps || step > zoneSteps {
		return time.FixedZone("", int(zone))
	}
	p := &locations[step+zoneSteps]
	loc := p.Load()
	if loc == nil {
		loc = time.FixedZone("", int(zone))
		p.Store(loc)
	}
	return loc
}

const yearError = `"!ERROR:time.Time year outside of range [0,9999]"`

// appendJSON appends s in the format of time.RFC3339Nano. It leaves the
// calendar to package time, and saves the half of AppendFormat's time that
// goes into looking up the zone and into bounds checks.
func (s stamp) appendJSON(dst []byte) []byte {
	local := time.Unix(s.sec+int64(s.zone), int64(s.nsec)).UTC()
	year, month, day := local.Date()
	if year < 0 || year > 9999 {
		return append(dst, yearError...)
	}
	zone := s.zone / 60 // minutes: the format drops the seconds
	if zone <= -100*60 || zone >= 100*60 {
		dst = append(dst, '"')
		dst = s.time().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	}

	hour, minute, sec := local.Clock()
	b := [...]byte{
		'"', 0, 0, 0, 0, '-', 0, 0, '-', 0, 0, 'T', 0, 0, ':', 0, 0, ':', 0, 0,
		'.', 0, 0, 0, 0, 0, 0, 0, 0, 0, // fraction, with its trailing zeros cut off
		0, 0, 0, 0, 0, 0, 0, // Z" or +00:00"
	}
	put2(b[1:], year/100)
	put2(b[3:], year%100)
	put2(b[6:], int(month))
	put2(b[9:], day)
	put2(b[12:], hour)
	put2(b[15:], minute)
	put2(b[18:], sec)

	const dot = 20
	n := dot
	if nsec := local.Nanosecond(); nsec != 0 {
		b[dot+1] = byte('0' + nsec/1e8)
		put2(b[dot+2:], nsec/1e6%100)
		put2(b[dot+4:], nsec/1e4%100)
		put2(b[dot+6:], nsec/1e2%100)
		put2(b[dot+8:], nsec%100)
		for n = dot + 10; b[n-1] == '0'; n-- {
		}
	}

	if s.zone == 0 {
		b[n] = 'Z'
		b[n+1] = '"'
		return append(dst, b[:n+2]...)
	}
	b[n] = '+'
	if zone < 0 {
		b[n] = '-'
		zone = -zone
	}
	put2(b[n+1:], int(zone/60))
	b[n+3] = ':'
	put2(b[n+4:], int(zone%60))
	b[n+6] = '"'
	return append(dst, b[:n+7]...)
}

// put2 writes n, which is less than 100, as two digits.
func put2(b []byte, n int) {
	_ = b[1]
	b[0] = byte('0' + n/10)
	b[1] = byte('0' + n%10)
}
