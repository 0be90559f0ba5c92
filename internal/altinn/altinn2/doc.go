// Package altinn2 is the client of the export of Altinn 2's messages (correspondence reference, chapter 16): it walks changes
// forwards and history backwards, counts, reads one message, and streams the bytes of attachments.
//
// What must not live here: which messages are brought over, and what they become (package mapping/message).
package altinn2
