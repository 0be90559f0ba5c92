package stream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/altinn/dialogsync/internal/ledger"
)

// Directions of a source. History of messages goes in two stages: Transfer stores them in Correspondence, hidden; Publish makes
// available what is stored.
const (
	Live     = "live"
	History  = "history"
	Transfer = "transfer"
	Publish  = "publish"
)

// Directions are all that a stream may have.
func Directions() []string { return []string{Live, History, Transfer, Publish} }

// Stream is a source in one direction.
type Stream struct {
	Source    ledger.Source
	Direction string
}

// String is how operators write it: `a3-app-instances/live`.
func (s Stream) String() string { return string(s.Source) + "/" + s.Direction }

// IsHistory tells whether the stream walks backwards.
func (s Stream) IsHistory() bool { return s.Direction != Live }

// HistoryOf gives the directions of a source's history, in the order in which they are walked.
func HistoryOf(source ledger.Source) []string {
	if source == ledger.A2Correspondence {
		return []string{Transfer, Publish}
	}
	return []string{History}
}

// Streams are all that work is done in, in the order of the status report. Native sources have none.
func Streams() []Stream {
	var all []Stream
	for _, source := range []ledger.Source{ledger.A2Correspondence, ledger.A2ArchivedForms, ledger.A3AppInstances} {
		all = append(all, Stream{source, Live})
		for _, direction := range HistoryOf(source) {
			all = append(all, Stream{source, direction})
		}
	}
	return all
}

// NameError tells that a text is not the name of a stream.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%q is not the name of a stream: write it as a3-app-instances/live, with %s after the slash", e.Name,
		strings.Join(Directions(), ", "))
}

// UnknownError tells that there is no such stream.
type UnknownError struct{ Stream Stream }

func (e *UnknownError) Error() string {
	if e.Stream.Source == ledger.A3Correspondence || e.Stream.Source == ledger.DialogServices {
		return fmt.Sprintf("no stream %s: the source writes to Dialogporten itself", e.Stream)
	}
	if e.Stream.Source == ledger.A2Correspondence {
		return fmt.Sprintf("no stream %s: history of messages is %s and %s", e.Stream, Stream{ledger.A2Correspondence, Transfer},
			Stream{ledger.A2Correspondence, Publish})
	}
	return fmt.Sprintf("no stream %s: 'dialogsync stream list' shows them", e.Stream)
}

// Parse reads a stream as operators write it. Errors: *NameError for what has no such form, *UnknownError for one that does
// not exist.
func Parse(text string) (Stream, error) {
	source, direction, found := strings.Cut(text, "/")
	if !found || source == "" || !slices.Contains(Directions(), direction) {
		return Stream{}, &NameError{text}
	}
	s := Stream{ledger.Source(source), direction}
	if !slices.Contains(Streams(), s) {
		return Stream{}, &UnknownError{s}
	}
	return s, nil
}
