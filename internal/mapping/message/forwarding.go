package message

import (
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Limits of a forwarding in UTF-16 units.
const (
	maxNote        = 4000
	maxEmail       = 1000
	maxDescription = 4095 // of the activity that it becomes, note, title and name together
	maxUserName    = 255  // of a user's display name, which only Register knows
)

func forwarding(f *altinn2.Forwarding, title string, w *warnings) correspondence.Forwarding {
	made := correspondence.Forwarding{
		ForwardedOnDate: f.At.UTC(), ForwardedByPartyUUID: f.ByPartyUUID, ForwardedByUserID: f.ByUserID,
		ForwardedByUserUUID: f.ByUserUUID, ForwardedToUserID: f.ToUserID,
		ForwardedToEmail: orNil(valid(f.ToEmail)), MailboxSupplier: mailbox(f.MailboxSupplierOrgNumber),
	}
	if f.ToUserUUID != nil && *f.ToUserUUID != uuid.Nil {
		made.ForwardedToUserUUID = f.ToUserUUID
	}
	w.add(WarnTargetDropped, made.MailboxSupplier == nil && !isBlank(f.MailboxSupplierOrgNumber))
	if made.ForwardedToEmail != nil && units(*made.ForwardedToEmail) > maxEmail {
		made.ForwardedToEmail = nil
		w.add(WarnTargetDropped, true)
	}
	if note := valid(f.Text); !isBlank(note) {
		short := head(note, min(maxNote, maxDescription-aroundNote(&made, title)))
		w.add(WarnNoteCut, short != note)
		made.ForwardingText = orNil(short)
	}
	return made
}

// mailbox is the form that the service knows the suppliers by: the other accepted form loses the activity (9.10).
func mailbox(number string) *string {
	number = strings.TrimSpace(number)
	for _, prefix := range [...]string{"0192:", organizationURN} {
		number = strings.TrimPrefix(number, prefix)
	}
	if !isDigits(number, organizationDigits) {
		return nil
	}
	urn := organizationURN + number
	return &urn
}

// aroundNote is how long the description of a forwarding is without its note, in the language in which it is longest (9.10).
func aroundNote(f *correspondence.Forwarding, title string) int {
	const supplier = "Digipost" // the longer of the two names
	var texts [2]string
	var name int
	switch {
	case f.ForwardedToUserUUID != nil:
		texts, name = [...]string{`delte "" med `, `shared "" with `}, maxUserName
	case f.ForwardedToEmail != nil:
		texts, name = [...]string{`videresendte "" til `, `forwarded "" to `}, units(*f.ForwardedToEmail)
	default:
		texts, name = [...]string{`sendte "" til `, `sent "" to `}, len(supplier)
	}
	longest := max(units(texts[0]+` og skrev: ""`), units(texts[1]+` with note: ""`))
	return longest + units(title) + name
}
