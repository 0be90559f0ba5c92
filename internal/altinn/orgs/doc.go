// Package orgs is the client of altinn-orgs.json: the public list of service owners with their codes, names and
// organisation numbers (Storage reference, 17).
//
// It is not the list of organisations to walk for instances: applications of discontinued ones stand only in Storage.
package orgs
