package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dieWithTheTest ends a child with the test process, however that ends.
func dieWithTheTest(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }

// peakMemory is the most memory that a running process has held, in bytes. What the kernel says of an ended one counts its parent's
// from before it was begun.
func (p *process) peakMemory() (peak int64, known bool) {
	const kibibyte = 1024
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &peak); err != nil {
		return 0, false
	}
	return peak * kibibyte, true
}
