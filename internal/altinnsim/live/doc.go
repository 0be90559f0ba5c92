// Package live keeps a simulated world moving: instances are created, filled in, signed, archived, confirmed, deleted,
// restored and removed, archived forms of Altinn 2 arrive and are migrated again, at a rate, from a seed. What Storage
// tells of each, and what it keeps to itself, is Storage's matter.
//
// When it has been stopped, what was under way is still finished: receipts of forms just submitted, changes that are
// committed late, the second halves of forms. After that the world stands still.
package live
