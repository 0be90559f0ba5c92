// Package ledger keeps the accounts of delivery: one row an item in the ledger, and the quarantine of items that need a
// person. It records and looks up; what is to be delivered, and whether a delivery was right, is decided elsewhere.
package ledger
