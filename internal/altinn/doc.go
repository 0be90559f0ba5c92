// Package altinn holds the shapes of Altinn Storage and Register as they stand on the wire: instances, data elements,
// instance events, applications, text resources and Register's party records.
//
// Reading is tolerant: unknown members and unknown enumeration values are ignored, lists may be null or hold null
// entries, and times may carry any offset or none. Members that hold personal data and that no rule needs (national
// identity numbers of owners and of event users, user names) have no field here, so that they cannot leak.
//
// What must not live here: HTTP (the clients are in the subpackages) and decisions about dialogs (package mapping).
package altinn
