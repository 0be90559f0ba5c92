package faults

// Kind is what is wrong with an answer or a row.
type Kind string

// Kinds of malformed. The Content-Length is that of what is sent.
const (
	KindNotJSON Kind = "not-json" // a line of text
	KindCut     Kind = "cut"      // the first half of the body
	KindHTML    Kind = "html"     // a gateway's page in place of the body, with the status that it came with
)

// Kinds of shape. All but the last two are drawn for each row: an instance or an event.
const (
	KindBadID          Kind = "bad-id"          // id is empty, null, or no {partyId}/{guid}
	KindNoLastChanged  Kind = "no-last-changed" // the member is missing; ending a page, its token begins again (3.6)
	KindNoZone         Kind = "no-zone"         // times without Z
	KindUnknownEnum    Kind = "unknown-enum"    // enumerations have a value that nobody knows
	KindNullList       Kind = "null-list"       // lists in the row are null
	KindMissingMembers Kind = "missing-members" // what Members names is missing
	KindNullRows       Kind = "null-rows"       // instances or instanceEvents itself is null
	KindFewerEvents    Kind = "fewer-events"    // Share of the events is not in the list: partly stored
)

// kindsOf are the kinds that an effect has.
func kindsOf(effect Effect) []Kind {
	switch effect {
	case EffectMalformed:
		return []Kind{KindNotJSON, KindCut, KindHTML}
	case EffectShape:
		return []Kind{
			KindBadID, KindNoLastChanged, KindNoZone, KindUnknownEnum, KindNullList, KindMissingMembers, KindNullRows,
			KindFewerEvents,
		}
	default:
		return nil
	}
}

// rowKinds are the kinds of shape that are drawn for rows unless the rule says which.
func rowKinds() []Kind {
	return []Kind{KindBadID, KindNoLastChanged, KindNoZone, KindUnknownEnum, KindNullList}
}
