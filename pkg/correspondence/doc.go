// Package correspondence is a client of the migration endpoints of Altinn 3 Correspondence: it uploads attachments, stores
// Altinn 2 messages, makes them available in Dialogporten and tells what happened to them since (correspondence reference,
// chapters 3 to 7).
//
// What an answer means to a migration is the caller's to judge: what is said here is only what was answered. Authentication,
// limits and retries are those of the http.Client it is given.
package correspondence
