//go:build !linux

package e2e

import "syscall"

// dieWithTheTest does nothing where the system offers nothing: what the tests start, they end.
func dieWithTheTest(*syscall.SysProcAttr) {}

// peakMemory is told in another unit, or not at all, elsewhere.
func (p *process) peakMemory() (peak int64, known bool) { return 0, false }
