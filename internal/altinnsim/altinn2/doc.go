// Package altinn2 is what Altinn 2 exports of its messages, simulated (Correspondence reference, chapter 16): a store that
// makes messages up from a seed and lets them live on, the export's endpoints, and the call-backs that Correspondence
// makes to Altinn 2.
package altinn2
