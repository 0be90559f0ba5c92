// Package history walks a source backwards in time: backfills that operators order, the windows they are cut into, the walk
// of one window from its newest item to its oldest, the accounts that let it close, and the watermark that follows.
//
// The decisions (planning, the cursor, accounts, intervals) are functions of values; slice.go and keeper.go carry them out.
// How one item is brought over is not known here: that is package delivery.
package history
