package e2e

import "syscall"

// dieWithTheTest ends a child with the test process, however that ends.
func dieWithTheTest(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }

// peakMemory is the most memory that an ended process held, in bytes.
func (p *process) peakMemory() (peak int64, known bool) {
	const kibibyte = 1024
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, false
	}
	return usage.Maxrss * kibibyte, true
}
