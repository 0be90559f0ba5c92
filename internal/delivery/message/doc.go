// Package message brings messages of Altinn 2 over to Altinn 3 Correspondence and through it to Dialogporten: read, choose, upload,
// migrate, make available, record (correspondence reference 17.1). What is sent and what answers mean is decided in package
// mapping/message.
//
// A message is worked on under a lease, since live and history may meet on one. Everything may be repeated at any point: the
// services know a message and a file by their numbers in Altinn 2.
package message
