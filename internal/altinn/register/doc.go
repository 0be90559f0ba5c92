// Package register is the client of Altinn Register: it turns URNs of parties and users into party records. It gathers
// look-ups that come at the same time into one request and keeps what it found for a while.
//
// Its answers hold personal data. They go into dialogs and never into logs or errors (Invariant 12); a URN is named in an
// error only when it is a party id or user id. What must not live here: which URN a record gives (package mapping).
package register
