package dialogporten

import (
	"math"
	"time"
)

// instant is a point in time as the service stores it: microseconds since 1970 in UTC.
type instant int64

// noInstant is an absent time.
const noInstant instant = math.MinInt64

const (
	microsPerSecond = 1_000_000
	secondsPerDay   = 86_400
	// zeroInstant is 0001-01-01T00:00:00Z, which .NET takes for a time that was not given.
	zeroInstant instant = -62_135_596_800 * microsPerSecond
	// clockSlack is how far ahead of the clock "the past" still reaches (Chapters 7 and 11).
	clockSlack = 15 * microsPerSecond
	// contentSeenBefore is 2025-12-01T00:00:00Z (Chapter 12, isContentSeen).
	contentSeenBefore instant = 1_764_547_200 * microsPerSecond
)

func (t instant) given() bool { return t != noInstant }

func (t instant) time() time.Time { return time.UnixMicro(int64(t)).UTC() }

func instantOf(t time.Time) instant { return instant(t.UnixMicro()) }

// appendInstant writes yyyy-MM-ddTHH:mm:ss.fffffffZ.
func appendInstant(buf []byte, t instant) []byte {
	at := t.time()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	buf = appendPadded(buf, year, 4)
	buf = appendPadded(append(buf, '-'), int(month), 2)
	buf = appendPadded(append(buf, '-'), day, 2)
	buf = appendPadded(append(buf, 'T'), hour, 2)
	buf = appendPadded(append(buf, ':'), minute, 2)
	buf = appendPadded(append(buf, ':'), second, 2)
	buf = appendPadded(append(buf, '.'), at.Nanosecond()/1000, 6)
	return append(buf, '0', 'Z')
}

func appendPadded(buf []byte, n, width int) []byte {
	divisor := 1
	for range width - 1 {
		divisor *= 10
	}
	for ; divisor > 0; divisor /= 10 {
		buf = append(buf, byte('0'+n/divisor%10))
	}
	return buf
}

// dotNetText is how .NET prints a time in the invariant culture, as some domain errors do.
func (t instant) dotNetText() string { return t.time().Format("01/02/2006 15:04:05 -07:00") }

// instantFault says why a text is no time.
type instantFault int

const (
	instantFine instantFault = iota
	instantMalformed
	instantWithoutOffset
)

// parseInstant reads ISO 8601 as System.Text.Json does, cut to microseconds. An explicit offset (Z or ±hh:mm) is
// demanded (Chapter 2).
func parseInstant(text string) (instant, instantFault) {
	const dateOnly = len("2006-01-02")
	const dateAndMinutes = len("2006-01-02T15:04")
	if len(text) < dateOnly {
		return 0, instantMalformed
	}
	day, ok := parseDate(text[:dateOnly])
	if !ok {
		return 0, instantMalformed
	}
	if len(text) == dateOnly {
		return 0, instantWithoutOffset
	}
	if len(text) < dateAndMinutes || text[dateOnly] != 'T' || text[13] != ':' {
		return 0, instantMalformed
	}
	hour, okHour := digits(text[11:13])
	minute, okMinute := digits(text[14:16])
	if !okHour || !okMinute || hour > 23 || minute > 59 {
		return 0, instantMalformed
	}
	micros, rest, ok := parseSeconds(text[dateAndMinutes:])
	if !ok {
		return 0, instantMalformed
	}
	offset, fault := parseOffset(rest)
	if fault != instantFine {
		return 0, fault
	}
	seconds := day*secondsPerDay + int64(hour)*3600 + int64(minute)*60 - offset
	return instant(seconds*microsPerSecond + micros), instantFine
}

func parseDate(text string) (days int64, ok bool) {
	year, okYear := digits(text[:4])
	month, okMonth := digits(text[5:7])
	day, okDay := digits(text[8:10])
	if !okYear || !okMonth || !okDay || text[4] != '-' || text[7] != '-' || year == 0 {
		return 0, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day || int(date.Month()) != month {
		return 0, false
	}
	return date.Unix() / secondsPerDay, true
}

// parseSeconds reads [:ss[.f…]] and gives the microseconds and what follows.
func parseSeconds(text string) (micros int64, rest string, ok bool) {
	if text == "" || text[0] != ':' {
		return 0, text, true
	}
	if len(text) < 3 {
		return 0, "", false
	}
	second, ok := digits(text[1:3])
	if !ok || second > 59 {
		return 0, "", false
	}
	micros, rest = int64(second)*microsPerSecond, text[3:]
	if rest == "" || rest[0] != '.' {
		return micros, rest, true
	}
	rest = rest[1:]
	n, unit := 0, int64(microsPerSecond/10)
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		micros += int64(rest[n]-'0') * unit
		unit /= 10
		n++
	}
	return micros, rest[n:], n > 0 && n <= 16
}

func parseOffset(text string) (seconds int64, fault instantFault) {
	if text == "Z" {
		return 0, instantFine
	}
	if text == "" {
		return 0, instantWithoutOffset
	}
	if text[0] != '+' && text[0] != '-' {
		return 0, instantMalformed
	}
	if len(text) == 3 {
		return 0, instantWithoutOffset // ±hh is read by .NET, but the service wants ±hh:mm
	}
	if len(text) != 6 || text[3] != ':' {
		return 0, instantMalformed
	}
	hour, okHour := digits(text[1:3])
	minute, okMinute := digits(text[4:6])
	if !okHour || !okMinute || hour*60+minute > 14*60 || minute > 59 {
		return 0, instantMalformed
	}
	seconds = int64(hour)*3600 + int64(minute)*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, instantFine
}

func digits(text string) (int, bool) {
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, true
}
