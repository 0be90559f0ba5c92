package e2e

import "syscall"

// dieWithTheTest ends a child with the test process, however that ends.
func dieWithTheTest(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }
