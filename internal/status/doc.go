// Package status tells what is true now of every source and stream, computed from the database and never typed: for
// operators, for dashboards, and for the page that the public reads.
package status
