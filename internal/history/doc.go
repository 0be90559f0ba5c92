// Package history walks a source backwards in time: backfills that operators order, the windows they are cut into, the walk
// of one window from its newest item to its oldest, the accounts that let it close, and the watermark that follows.
//
// A turn holds a window: claim, heartbeat, fencing, pace and close are the same for all. What a page of it is, its course knows:
// instances of Storage, or messages of Altinn 2 in two stages, each a stream of its own (transfer, then publish).
//
// The decisions (planning, the cursor, accounts, intervals) are functions of values; walker.go, turn.go and keeper.go carry them
// out. How one item is brought over is not known here: that is package delivery.
package history
