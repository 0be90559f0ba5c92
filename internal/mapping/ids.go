package mapping

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogid"
)

// Names that ids of a dialog's parts are derived from (rule 2.2).
const (
	nameGoTo         = "DialogGuiActionGoTo"
	nameDelete       = "DialogGuiActionDelete"
	nameCopy         = "DialogGuiActionCopy"
	nameRead         = "DialogApiActionRead"
	nameReadEndpoint = "0"
)

// subID derives the id of a part; the only failures are a nil parent and an empty name.
func subID(parent uuid.UUID, name string) (uuid.UUID, error) {
	id, err := dialogid.Sub(parent, name)
	if err != nil {
		return uuid.Nil, fmt.Errorf("derive id: %w", err)
	}
	return id, nil
}

// UserSuppliedDialogID reads an instance's data value `dialog.id` as a dialog id chosen by the user (rule 2.3). It is
// valid when it is a UUID in any usual spelling, of version 7 and the RFC variant, whose time is not after now.
func UserSuppliedDialogID(value string, now time.Time) (uuid.UUID, bool) {
	id, ok := ParseDialogID(value)
	if !ok || !dialogid.IsV7(id) || dialogid.Time(id).UnixMilli() > now.UnixMilli() {
		return uuid.Nil, false
	}
	return id, true
}

// ParseDialogID reads a UUID in any usual spelling: bare digits, or dashes and then perhaps braces or parentheses, in any
// letter case, with white space around it. Data values are compared as the ids they name, whatever their spelling.
func ParseDialogID(value string) (uuid.UUID, bool) {
	const (
		bare     = 32
		dashed   = 36
		enclosed = 38
	)
	text := strings.TrimSpace(value)
	if len(text) == enclosed {
		inBraces := text[0] == '{' && text[enclosed-1] == '}'
		inParentheses := text[0] == '(' && text[enclosed-1] == ')'
		if !inBraces && !inParentheses {
			return uuid.Nil, false
		}
		text = text[1 : enclosed-1]
		if len(text) != dashed {
			return uuid.Nil, false
		}
	}
	if len(text) != bare && len(text) != dashed {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}
