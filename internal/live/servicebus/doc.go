// Package servicebus takes sync commands from the Azure Service Bus queue on which Storage announces every change
// (Storage reference 13, 14), and hands them to a live.Accepter. A message is completed only after its command is
// committed (Invariant 1); what cannot be a command becomes a dead letter. What a command leads to is not known here.
package servicebus
