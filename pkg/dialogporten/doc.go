// Package dialogporten is a client of Dialogporten's service-owner API: its types (model*.go), the calls that create,
// read, update, delete, restore and purge dialogs, and the search by label.
//
// Every write says whether it is silent, carries the revision it is based on where the API takes one, and gives the new
// one. Authentication, limits and retries belong to the http.Client. What must not live here: what a dialog looks like,
// and when to write one.
package dialogporten
