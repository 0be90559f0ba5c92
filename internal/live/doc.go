// Package live keeps items current: the inbox that events fill, their delivery, the poll that finds what no event told, the
// batches of archived forms, and the live watermark. How one item is brought over is not known here: that is package delivery.
package live
