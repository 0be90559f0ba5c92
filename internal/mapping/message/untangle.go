package message

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Untangle moves apart what the service's own unique indexes would have clash although 5.6 lets it pass: then a first load ends in
// 500 for ever (5.8). Of two forwardings by one party at one instant the later listed one moves by a millisecond; a notification
// that differs from another in the reminder flag alone is dropped. It tells whether there was anything to do, and leaves body as
// it is: the answer is another one.
func Untangle(body *correspondence.MigrateRequest) (untangled *correspondence.MigrateRequest, changed bool) {
	made := *body
	type forwarded struct {
		at int64
		by uuid.UUID
	}
	seen := map[forwarded]bool{}
	made.ForwardingHistory = make([]correspondence.Forwarding, 0, len(body.ForwardingHistory))
	for _, f := range body.ForwardingHistory {
		at := func() forwarded { return forwarded{f.ForwardedOnDate.UnixMicro(), f.ForwardedByPartyUUID} }
		for seen[at()] {
			f.ForwardedOnDate = f.ForwardedOnDate.Add(time.Millisecond)
			changed = true
		}
		seen[at()] = true
		made.ForwardingHistory = append(made.ForwardingHistory, f)
	}
	type sent struct {
		at      int64
		id      int32
		channel correspondence.Channel
		address string
	}
	made.NotificationHistory = firsts(body.NotificationHistory, func(n correspondence.Notification) sent {
		return sent{n.NotificationSent.UnixMicro(), n.Altinn2NotificationID, n.NotificationChannel, n.NotificationAddress}
	})
	return &made, changed || len(made.NotificationHistory) < len(body.NotificationHistory)
}
