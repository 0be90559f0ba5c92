package main

import (
	"fmt"
	"strconv"
	"time"
)

func sayf(format string, args ...any) { fmt.Printf(format+"\n", args...) } //nolint:forbidigo // it is what a demo is for

// factf says one thing, under what it is about.
func factf(about, format string, args ...any) {
	sayf("   %-22s "+format, append([]any{about}, args...)...)
}

// wrongs counts what is wrong, and tells of the first.
type wrongs int

func (w *wrongs) tellf(format string, args ...any) {
	const told = 10
	*w++
	switch {
	case *w <= told:
		factf("wrong", format, args...)
	case *w == told+1:
		factf("wrong", "and more")
	}
}

// chapterf begins a chapter.
func (d *demo) chapterf(format string, args ...any) {
	d.chapters++
	sayf("\n%d. "+format, append([]any{d.chapters}, args...)...)
}

// number writes a count with its thousands apart: 20,000.
func number[T ~int | ~int64 | ~uint64](n T) string {
	const group = 3
	digits := strconv.FormatInt(int64(n), 10)
	for at := len(digits) - group; at > 0; at -= group {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }
