package main

import (
	"github.com/spf13/pflag"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
)

// addMessageFlags are the flags of what Altinn 2 holds.
func addMessageFlags(f *pflag.FlagSet, m *altinn2.Options) {
	*m = altinn2.DefaultOptions()
	f.IntVar(&m.Messages, "messages", 0, "how many messages of Altinn 2 to make up, in the same range")
	f.IntVar(&m.Services, "message-services", m.Services, "message services of each service owner")
	f.Float64Var(&m.Mailings, "mailings", m.Mailings, "share of messages that share an instant with many others")
	f.Float64Var(&m.Purged, "purged-messages", m.Purged, "share of messages that are purged already")
	f.Float64Var(&m.Attached, "attached", m.Attached, "share of messages with attachments")
	f.Int64Var(&m.LargestFile, "largest-file", m.LargestFile, "size of the largest attachments, in bytes")
	f.Float64Var(&m.Odd, "odd-messages", m.Odd, "share of messages with one of the pitfalls of old data")
	f.Float64Var(&m.Broken, "broken-messages", m.Broken, "share of messages that cannot be brought over as they are")
}

// withMessages makes messages of the same seed, owners and days as instances.
func withMessages(generate generator.Options, messages altinn2.Options) generator.Options {
	messages.Seed, messages.Orgs, messages.Days = generate.Seed, generate.Orgs, generate.Days
	generate.Messages = &messages
	return generate
}
