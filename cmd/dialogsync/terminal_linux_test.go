package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// terminal is one whose other end the test holds.
type terminal struct {
	person, program *os.File
}

func newTerminal(t *testing.T) terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine gives no terminals")
	}
	t.Cleanup(func() { _ = person.Close() })
	var number, unlocked int32
	control(t, person, syscall.TIOCSPTLCK, &unlocked)
	control(t, person, syscall.TIOCGPTN, &number)
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return terminal{person: person, program: program}
}

func control(t *testing.T, file *os.File, request uintptr, value *int32) {
	t.Helper()
	_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(unsafe.Pointer(value)))
	require.Zero(t, failed, failed.Error())
}

// at runs a command at a terminal at which a person types an answer.
func (r *rig) at(t *testing.T, answer string, args ...string) (code int, shown string) {
	t.Helper()
	tty := newTerminal(t)
	_, err := tty.person.WriteString(answer)
	require.NoError(t, err)
	code = run(t.Context(), args, streams{in: tty.program, out: tty.program, err: tty.program}, r.environ)
	_, err = tty.program.WriteString("\nthe end\n")
	require.NoError(t, err)
	var all strings.Builder
	scanner := bufio.NewScanner(tty.person)
	for scanner.Scan() && !strings.HasPrefix(scanner.Text(), "the end") {
		all.WriteString(scanner.Text() + "\n")
	}
	return code, all.String()
}

func TestPersonIsAsked(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	order := []string{"backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--reason", "phase 1"}
	before := r.tables(t)
	for _, no := range []string{"n\n", "\n", "nei\n", "yess\n", "\x04"} {
		code, shown := r.at(t, no, order...)
		assert.Equal(t, exitError, code, "%q", no)
		assert.Contains(t, shown, "6 windows of 2 organisations? [y/N]")
		assert.Contains(t, shown, "nothing was changed")
		assert.Equal(t, before, r.tables(t), "%q", no)
	}
	code, shown := r.at(t, "y\n", order...)
	assert.Equal(t, exitOK, code, shown)
	assert.Contains(t, shown, "Backfill 1:")
	code, shown = r.at(t, "YES\n", "backfill", "cancel", "1", "--reason", "enough")
	assert.Equal(t, exitOK, code, shown)
	assert.Contains(t, shown, "which is running? [y/N]")
	assert.Equal(t, "cancelled", r.stateOf(t, "1"))
	code, shown = r.at(t, "n\n", "item", "sync", r.one(t).Row.Key(), "--reason", "citizen asked")
	assert.Equal(t, exitError, code)
	assert.Contains(t, shown, "[y/N]")
	assert.Zero(t, r.tables(t)["ledger"])
}

func TestWatchKeepsItsLinesInPlaceOnATerminal(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	id := r.create(t)
	r.exec(t, "update backfill set state = 'cancelled'")
	code, shown := r.at(t, "", "backfill", "watch", id)
	assert.Equal(t, exitOK, code)
	assert.Contains(t, shown, "\x1b[Ka3-app-instances history: back to")
}
