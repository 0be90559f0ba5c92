// Package storage is the client of Altinn Storage: it lists instances, reads one with its events, reads applications and
// their texts (Catalog keeps those), and writes the one thing written there, the id of an instance's dialog.
//
// Every rule about what an answer may mean stands here: which 404 means "gone", how pages are followed, what is worth a
// retry (Storage reference, 3–8). What must not live here: walking a range (package history), and what a dialog looks
// like (package mapping).
package storage
