package dialogporten_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bodyCase changes a good body into one that is refused, and says how.
type bodyCase struct {
	name    string // rule and chapter
	change  func(s *simulation, d object)
	key     string
	message string // "": any
}

const (
	partyFault = " must be on format 'urn:altinn:organization:identifier-no:{norwegian org-nr}', 'urn:altinn:person:identifier-no:" +
		"{norwegian f-nr/d-nr}', 'urn:altinn:person:legacy-selfidentified:{username}' or 'urn:altinn:person:idporten-email:{e-mail}' " +
		"with valid values, respectively."
	actorFault = "If 'ActorType' is 'ServiceOwner', both 'ActorId' and 'ActorName' must be null. For any other value of 'ActorType', " +
		"'ActorId' or 'ActorName' must be set, but not both simultaneously."
	languageHint = "Culture specific codes like 'en_GB' and 'en-US' are normalized to 'en' (ISO 639)."
)

func set(name string, value any) func(*simulation, object) {
	return func(_ *simulation, d object) { d[name] = value }
}

func texts(pairs ...string) list {
	out := list{}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, object{"languageCode": pairs[i], "value": pairs[i+1]})
	}
	return out
}

func long(n int) string { return strings.Repeat("a", n) }

func tooLong(member string, limit, n int) string {
	return "The length of '" + member + "' must be " + itoa(limit) + " characters or fewer. You entered " + itoa(n) + " characters."
}

func itoa(n int) string {
	text := ""
	for ; n > 0; n /= 10 {
		text = string(rune('0'+n%10)) + text
	}
	return text
}

// in puts a thing into a list of the body.
func in(name string, build func(s *simulation) object) func(*simulation, object) {
	return func(s *simulation, d object) { d[name] = list{build(s)} }
}

func content(field string, value object) func(*simulation, object) {
	return func(_ *simulation, d object) { d["content"].(object)[field] = value }
}

func dialogRules() []bodyCase {
	return []bodyCase{
		{
			"id is a UUIDv7 (11)", set("id", "a312cb9c-7632-43c2-aa38-69b06aed56ca"), "dto.id",
			"Invalid Id. Expected big endian UUIDv7 format. Got 'a312cb9c-7632-43c2-aa38-69b06aed56ca'.",
		},
		{"id of the future (11)", func(s *simulation, d object) { d["id"] = s.idAt(16 * time.Second) }, "dto.id", ""},
		{
			"v4 id whose bits lie ahead has both faults (11)", set("id", "a312cb9c-7632-43c2-aa38-69b06aed56ca"), "dto.id",
			"Invalid Id. Expected the unix timestamp portion of the UUIDv7 to be in the past. Extrapolated '7651-10-29T10:52:47.5380000+00:00' from 'a312cb9c-7632-43c2-aa38-69b06aed56ca'.",
		},
		{
			"idempotentKey has 3 characters (7)", set("idempotentKey", "ab"), "dto.idempotentKey",
			"The length of 'IdempotentKey' must be at least 3 characters. You entered 2 characters.",
		},
		{"idempotentKey has 36 characters (7)", set("idempotentKey", long(37)), "dto.idempotentKey", tooLong("IdempotentKey", 36, 37)},
		{
			"serviceResource has its prefix (7)", set("serviceResource", "urn:altinn:res:x"), "dto.serviceResource",
			"'ServiceResource' must start with 'urn:altinn:resource:'.",
		},
		{
			"serviceResource is a URI (7)", set("serviceResource", "urn:altinn:resource:a b"), "dto.serviceResource",
			"'ServiceResource' is not a well-formatted URI.",
		},
		{
			"serviceResource has 1023 characters (7)", set("serviceResource", "urn:altinn:resource:"+long(1004)), "dto.serviceResource",
			tooLong("ServiceResource", 1023, 1024),
		},
		{"party is required (7)", set("party", ""), "dto.party", "'Party' must not be empty."},
		{"party may not be missing (7)", func(_ *simulation, d object) { delete(d, "party") }, "dto.party", "'Party' must not be empty."},
		{"party is a party (11)", set("party", "urn:altinn:organization:identifier-no:991825828"), "dto.party", "'Party'" + partyFault},
		{"party's prefix is in lower case (11)", set("party", "URN:altinn:organization:identifier-no:991825827"), "dto.party", ""},
		{"Feide is no party (11)", set("party", "urn:altinn:feide-subject:abc"), "dto.party", ""},
		{"system user is no party (11)", set("party", "urn:altinn:systemuser:uuid:019bc14f-ef80-7000-8010-cbea9ac623b7"), "dto.party", ""},
		{"progress is at least 0 (7)", set("progress", -1), "dto.progress", "'Progress' must be between 0 and 100. You entered -1."},
		{"progress is at most 100 (3)", set("progress", 101), "dto.progress", "'Progress' must be between 0 and 100. You entered 101."},
		{"extendedStatus has 255 characters (7)", set("extendedStatus", long(256)), "dto.extendedStatus", tooLong("ExtendedStatus", 255, 256)},
		{
			"externalReference has 255 characters (7)", set("externalReference", long(256)), "dto.externalReference",
			tooLong("ExternalReference", 255, 256),
		},
		{
			"length counts UTF-16 units (7)", set("externalReference", strings.Repeat("😀", 128)), "dto.externalReference",
			tooLong("ExternalReference", 255, 256),
		},
		{"dueAt after visibleFrom unless admin (7)", func(s *simulation, d object) {
			d["dueAt"], d["visibleFrom"] = s.at(time.Hour), s.at(2*time.Hour)
		}, "dto.dueAt", "'DueAt' must be after 'VisibleFrom'."},
		{"expiresAt after dueAt (3)", func(s *simulation, d object) {
			d["expiresAt"], d["dueAt"] = s.at(time.Hour), s.at(2*time.Hour)
		}, "dto.expiresAt", "'ExpiresAt' must be after 'DueAt'."},
		{"expiresAt after visibleFrom (7)", func(s *simulation, d object) {
			d["expiresAt"], d["visibleFrom"] = s.at(time.Hour), s.at(2*time.Hour)
		}, "dto.expiresAt", "'ExpiresAt' must be after 'VisibleFrom'."},
		{"process is a URI (3)", set("process", "a b"), "dto.process", "'Process' is not a well-formatted URI."},
		{"process has 1023 characters (7)", set("process", long(1024)), "dto.process", tooLong("Process", 1023, 1024)},
		{
			"precedingProcess needs process (7)", set("precedingProcess", "urn:p"), "dto.process",
			"Process must not be empty when PrecedingProcess is set.",
		},
		{
			"precedingProcess is a URI (7)", func(_ *simulation, d object) { d["process"], d["precedingProcess"] = "urn:p", "<" },
			"dto.precedingProcess", "'PrecedingProcess' is not a well-formatted URI.",
		},
		{
			"createdAt is in the past (3)", func(s *simulation, d object) { d["createdAt"] = s.at(16 * time.Second) }, "dto.createdAt",
			"'CreatedAt' must be in the past.",
		},
		{
			"updatedAt needs createdAt (7)", func(s *simulation, d object) { d["updatedAt"] = s.at(-time.Hour) }, "dto.createdAt",
			"CreatedAt must not be empty when 'UpdatedAt is set.",
		},
		{"updatedAt after createdAt (7)", func(s *simulation, d object) {
			d["createdAt"], d["updatedAt"] = s.at(-time.Hour), s.at(-2*time.Hour)
		}, "dto.updatedAt", "'UpdatedAt' must be greater than or equal to 'CreatedAt'."},
		{"updatedAt is in the past (7)", func(s *simulation, d object) {
			d["createdAt"], d["updatedAt"] = s.at(-time.Hour), s.at(16*time.Second)
		}, "dto.updatedAt", "'UpdatedAt' must be in the past."},
		{"status is known (3)", set("status", 9), "dto.status", "'Status' has a range of values which does not include '9'."},
		{
			"systemLabel is Default, Bin or Archive (7)", set("systemLabel", "Sent"), "dto.systemLabel",
			"SystemLabel must be Default, Bin or Archive.",
		},
		{"content is required (7)", func(_ *simulation, d object) { delete(d, "content") }, "dto.content", "'Content' must not be empty."},
		{"content null counts as absent (2)", set("content", nil), "dto.content", "'Content' must not be empty."},
		{"labels are at most 20 (7)", func(_ *simulation, d object) {
			labels := list{}
			for i := range 21 {
				labels = append(labels, object{"value": "label-" + itoa(i+1)})
			}
			d["serviceOwnerContext"] = object{"serviceOwnerLabels": labels}
		}, "dto.serviceOwnerContext.serviceOwnerLabels", "Maximum 20 service owner labels are allowed."},
		{
			"labels have 3 characters (7)", set("serviceOwnerContext", object{"serviceOwnerLabels": list{object{"value": "ab"}}}),
			"dto.serviceOwnerContext.serviceOwnerLabels[0].value",
			"The length of 'Value' must be at least 3 characters. You entered 2 characters.",
		},
		{
			"labels have 255 characters (7)", set("serviceOwnerContext", object{"serviceOwnerLabels": list{object{"value": long(256)}}}),
			"dto.serviceOwnerContext.serviceOwnerLabels[0].value", tooLong("Value", 255, 256),
		},
		{
			"labels are unique in any case (7)", set("serviceOwnerContext",
				object{"serviceOwnerLabels": list{object{"value": "abc"}, object{"value": "ABC"}}}),
			"dto.serviceOwnerContext.serviceOwnerLabels", "Can not contain duplicate items: [ABC].",
		},
		{
			"tags have 3 characters (7)", set("searchTags", list{object{"value": "ab"}}), "dto.searchTags[0].value",
			"The length of 'Value' must be at least 3 characters. You entered 2 characters.",
		},
		{
			"tags have 63 characters (7)", set("searchTags", list{object{"value": long(64)}}), "dto.searchTags[0].value",
			tooLong("Value", 63, 64),
		},
		{
			"tags are unique in any case (7)", set("searchTags", list{object{"value": "abc"}, object{"value": "Abc"}}), "dto.searchTags",
			"Can not contain duplicate items: [Abc].",
		},
	}
}

func contentRules() []bodyCase {
	embed := func(url string) object {
		return object{"mediaType": "application/vnd.dialogporten.frontchannelembed-url;type=text/markdown", "value": texts("nb", url)}
	}
	return []bodyCase{
		{"title is required (3)", set("content", object{"summary": plain("x")}), "dto.content", "Title must not be empty."},
		{"title has 255 characters (7)", content("title", plain(long(256))), "dto.content.value[0].value", tooLong("Value", 255, 256)},
		{
			"extendedStatus has 25 characters (7)", content("extendedStatus", plain(long(26))), "dto.content.value[0].value",
			tooLong("Value", 25, 26),
		},
		{
			"additionalInfo has 1023 characters (7)", content("additionalInfo", plain(long(1024))), "dto.content.value[0].value",
			tooLong("Value", 1023, 1024),
		},
		{"value is non-empty (7)", content("title", object{"value": list{}}), "dto.content.value", "'Value' must not be empty."},
		{"text is not blank (7)", content("title", plain(" ")), "dto.content.value[0].value", "'Value' must not be empty."},
		{
			"title is plain text (7)", content("title", object{"mediaType": "text/html", "value": texts("nb", "x")}), "dto.content.mediaType",
			"MediaType 'text/html' is not allowed for content type Title. Allowed media types are 'text/plain'",
		},
		{
			"additionalInfo is no HTML without the scope (7)", content("additionalInfo", object{"mediaType": "text/html", "value": texts("nb", "x")}),
			"dto.content.mediaType",
			"MediaType 'text/html' is not allowed for content type AdditionalInfo. Allowed media types are 'text/plain', 'text/markdown'",
		},
		{
			"media type is not empty (7)", content("title", object{"mediaType": "", "value": texts("nb", "x")}), "dto.content.mediaType",
			"'MediaType' must not be empty.",
		},
		{
			"mainContentReference is https (7)", content("mainContentReference", embed("http://example.com")), "dto.content.value[0].value",
			"'Value' is not a well-formatted HTTPS URL.",
		},
		{
			"languages are known (7)", content("title", object{"value": texts("xx", "x")}), "dto.content.value[0].languageCode",
			"'LanguageCode' 'xx' is not a valid language code. " + languageHint,
		},
		{
			"no is refused with a hint (7)", content("title", object{"value": texts("no", "x")}), "dto.content.value[0].languageCode",
			"'LanguageCode' 'no' is not a valid language code. Use 'nb' or 'nn' for Norwegian. " + languageHint,
		},
		{
			"languages are unique once normalised (7)", content("title", object{"value": texts("en_GB", "x", "en-US", "y")}), "dto.content.value",
			"Can not contain duplicate items: [en]. " + languageHint,
		},
	}
}

func childRules() []bodyCase {
	gui := func(changes ...object) func(*simulation, object) {
		return in("guiActions", func(s *simulation) object { return s.guiAction(changes...) })
	}
	api := func(changes ...object) func(*simulation, object) {
		return in("apiActions", func(s *simulation) object { return s.apiAction(changes...) })
	}
	endpoint := func(changes ...object) func(*simulation, object) {
		return api(object{"endpoints": list{merged(object{"url": "https://example.com", "httpMethod": "GET"}, changes)}})
	}
	attachment := func(changes ...object) func(*simulation, object) {
		return in("attachments", func(s *simulation) object { return s.attachment(changes...) })
	}
	link := func(changes ...object) func(*simulation, object) {
		return attachment(object{"urls": list{merged(object{"url": "https://example.com", "consumerType": "Gui"}, changes)}})
	}
	twice := func(name string, build func(s *simulation) object) func(*simulation, object) {
		return func(s *simulation, d object) {
			one := build(s)
			d[name] = list{one, one}
		}
	}
	priorities := func(priority string, n int) func(*simulation, object) {
		return func(s *simulation, d object) {
			actions := list{}
			for range n {
				actions = append(actions, s.guiAction(object{"priority": priority}))
			}
			d["guiActions"] = actions
		}
	}
	notHTTPS := "'Url' is not a well-formatted HTTPS URL."
	notV7 := object{"id": "a312cb9c-7632-43c2-aa38-69b06aed56ca"}
	return []bodyCase{
		{"attachment id (7)", attachment(notV7), "dto.attachments[0].id", ""},
		{"attachment ids are unique (7)", twice("attachments", func(s *simulation) object { return s.attachment() }), "dto.attachments", ""},
		{"attachment name (7)", attachment(object{"name": long(256)}), "dto.attachments[0].name", tooLong("Name", 255, 256)},
		{"attachment displayName (7)", attachment(object{"displayName": texts("nb", long(256))}), "dto.attachments[0].displayName[0].value", ""},
		{"attachment has a url (7)", attachment(object{"urls": list{}}), "dto.attachments[0].urls", "'Urls' must not be empty."},
		{"attachment has not expired (7)", func(s *simulation, d object) {
			d["attachments"] = list{s.attachment(object{"expiresAt": s.at(-time.Second)})}
		}, "dto.attachments[0].expiresAt", "'ExpiresAt' must be in the future."},
		{"attachment url is https (3)", link(object{"url": "http://example.com"}), "dto.attachments[0].urls[0].url", notHTTPS},
		{"attachment url is absolute (7)", link(object{"url": "x"}), "dto.attachments[0].urls[0].url", notHTTPS},
		{"attachment url is required (7)", link(object{"url": nil}), "dto.attachments[0].urls[0].url", "'Url' must not be empty."},
		{
			"attachment url has 1023 characters (7)", link(object{"url": "https://e.no/" + long(1011)}), "dto.attachments[0].urls[0].url",
			tooLong("Url", 1023, 1024),
		},
		{"attachment url id (7)", link(notV7), "dto.attachments[0].urls[0].id", ""},
		{
			"consumerType is required (2)", link(object{"consumerType": nil}), "dto.attachments[0].urls[0].consumerType",
			"'ConsumerType' has a range of values which does not include '0'.",
		},
		{"GUI action id (7)", gui(notV7), "dto.guiActions[0].id", ""},
		{
			"GUI action ids are unique (7)", twice("guiActions", func(s *simulation) object { return s.guiAction(object{"priority": "Tertiary"}) }),
			"dto.guiActions", "",
		},
		{"GUI action is required (7)", gui(object{"action": nil}), "dto.guiActions[0].action", "'Action' must not be empty."},
		{"GUI action has 255 characters (7)", gui(object{"action": long(256)}), "dto.guiActions[0].action", tooLong("Action", 255, 256)},
		{"GUI action url (7)", gui(object{"url": "ftp://example.com"}), "dto.guiActions[0].url", notHTTPS},
		{
			"GUI action method (7)", gui(object{"httpMethod": "PUT"}), "dto.guiActions[0].httpMethod",
			"'HttpMethod' for GUI actions must be one of the following: [GET, POST, DELETE].",
		},
		{
			"GUI action priority (7)", gui(object{"priority": nil}), "dto.guiActions[0].priority",
			"'Priority' has a range of values which does not include '0'.",
		},
		{"GUI action title (7)", gui(object{"title": list{}}), "dto.guiActions[0].title", "'Title' must not be empty."},
		{"GUI action prompt (7)", gui(object{"prompt": texts("nb", "")}), "dto.guiActions[0].prompt[0].value", "'Value' must not be empty."},
		{"one primary (7)", priorities("Primary", 2), "dto.guiActions", "Only one primary GUI action is allowed."},
		{"one secondary (7)", priorities("Secondary", 2), "dto.guiActions", "Only one secondary GUI action is allowed."},
		{"five tertiary (7)", priorities("Tertiary", 6), "dto.guiActions", "Only five tertiary GUI actions are allowed."},
		{"authorizationAttribute form (7)", gui(object{"authorizationAttribute": "urn:altinn:x"}), "dto.guiActions[0].authorizationAttribute", ""},
		{
			"authorizationAttribute begins with a letter (7)", gui(object{"authorizationAttribute": "1x"}),
			"dto.guiActions[0].authorizationAttribute", "",
		},
		{
			"authorizationAttribute has 255 characters (7)", gui(object{"authorizationAttribute": long(256)}),
			"dto.guiActions[0].authorizationAttribute", tooLong("AuthorizationAttribute", 255, 256),
		},
		{"API action is required (7)", api(object{"action": ""}), "dto.apiActions[0].action", "'Action' must not be empty."},
		{"API action name (7)", api(object{"name": long(256)}), "dto.apiActions[0].name", tooLong("Name", 255, 256)},
		{"API action has endpoints (7)", api(object{"endpoints": list{}}), "dto.apiActions[0].endpoints", "'Endpoints' must not be empty."},
		{"API endpoint id (7)", endpoint(notV7), "dto.apiActions[0].endpoints[0].id", ""},
		{
			"API endpoint version (7)", endpoint(object{"version": long(256)}), "dto.apiActions[0].endpoints[0].version",
			tooLong("Version", 255, 256),
		},
		{"API endpoint url (7)", endpoint(object{"url": "http://x"}), "dto.apiActions[0].endpoints[0].url", notHTTPS},
		{
			"API endpoint method (7)", endpoint(object{"httpMethod": nil}), "dto.apiActions[0].endpoints[0].httpMethod",
			"'HttpMethod' has a range of values which does not include '0'.",
		},
		{
			"API endpoint documentationUrl (3)", endpoint(object{"documentationUrl": "a b"}), "dto.apiActions[0].endpoints[0].documentationUrl",
			"'DocumentationUrl' is not a well formatted URI.",
		},
		{
			"API endpoint sunsetAt needs deprecated (7)", endpoint(object{"sunsetAt": "2030-01-01T00:00:00Z"}),
			"dto.apiActions[0].endpoints[0].deprecated", "'Deprecated' must be equal to 'True' when SunsetAt is set.",
		},
	}
}

func activityRules() []bodyCase {
	with := func(changes ...object) func(*simulation, object) {
		return in("activities", func(s *simulation) object { return s.activity(changes...) })
	}
	by := func(actor object) func(*simulation, object) { return with(object{"performedBy": actor}) }
	return []bodyCase{
		{"activity id (7)", with(object{"id": "a312cb9c-7632-43c2-aa38-69b06aed56ca"}), "dto.activities[0].id", ""},
		{"activity ids are unique (7)", func(s *simulation, d object) {
			one := s.activity()
			d["activities"] = list{one, one}
		}, "dto.activities", ""},
		{
			"activity createdAt (7)", with(object{"createdAt": "2099-01-01T00:00:00Z"}), "dto.activities[0].createdAt",
			"'CreatedAt' must be in the past.",
		},
		{
			"activity extendedType (3)", with(object{"extendedType": "a b"}), "dto.activities[0].extendedType",
			"'ExtendedType' is not a well formatted URI.",
		},
		{
			"activity type is required (2)", with(object{"type": nil}), "dto.activities[0].type",
			"'Type' has a range of values which does not include '0'.",
		},
		{"performedBy is required (7)", with(object{"performedBy": nil}), "dto.activities[0].performedBy", "'PerformedBy' must not be empty."},
		{
			"description is required for Information (7)", with(object{"type": "Information"}), "dto.activities[0].description",
			"Description is required when the type is 'Information'.",
		},
		{
			"description only for Information (7)", with(object{"description": texts("nb", "x")}), "dto.activities[0].description",
			"Description is only allowed when the type is 'Information'.",
		},
		{
			"description has 255 characters (7)", with(object{"type": "Information", "description": texts("nb", long(256))}),
			"dto.activities[0].description[0].value", tooLong("Value", 255, 256),
		},
		{
			"TransmissionOpened needs a transmission (7)", with(object{"type": "TransmissionOpened"}), "dto.activities[0].transmissionId",
			"An activity of type TransmissionOpened needs to reference a transmission.",
		},
		{
			"only TransmissionOpened may have one (7)", with(object{"transmissionId": "019bc14f-ef80-7000-8010-cbea9ac623b7"}),
			"dto.activities[0].transmissionId", "Only activities of type TransmissionOpened can reference a transmission.",
		},
		{
			"transmission is in the body (7)", with(object{"type": "TransmissionOpened", "transmissionId": "019bc14f-ef80-7000-8010-cbea9ac623b7"}),
			"dto.activities[0]", "Item '019bc14f-ef80-7000-8010-cbea9ac623b7' in 'Transmissions' does not exist.",
		},
		{
			"actorType is required (7)", by(object{"actorName": "Ola"}), "dto.activities[0].performedBy.actorType",
			"'ActorType' has a range of values which does not include '0'.",
		},
		{"service owner has no name (7)", by(object{"actorType": "ServiceOwner", "actorName": "x"}), "dto.activities[0].performedBy", actorFault},
		{"others have an id or a name (7)", by(object{"actorType": "PartyRepresentative"}), "dto.activities[0].performedBy", actorFault},
		{
			"others have not both (7)", by(object{"actorType": "PartyRepresentative", "actorId": orgParty, "actorName": "x"}),
			"dto.activities[0].performedBy", actorFault,
		},
		{
			"actorId is a party (11)", by(object{"actorType": "PartyRepresentative", "actorId": "x"}), "dto.activities[0].performedBy.actorId",
			"'ActorId'" + partyFault,
		},
	}
}

func transmissionRules() []bodyCase {
	with := func(changes ...object) func(*simulation, object) {
		return in("transmissions", func(s *simulation) object { return s.transmission(changes...) })
	}
	return []bodyCase{
		{"transmission id (7)", with(object{"id": "a312cb9c-7632-43c2-aa38-69b06aed56ca"}), "dto.transmissions[0].id", ""},
		{
			"transmission key (7)", with(object{"idempotentKey": "ab"}), "dto.transmissions[0].idempotentKey",
			"The length of 'IdempotentKey' must be at least 3 characters. You entered 2 characters.",
		},
		{
			"transmission createdAt (7)", with(object{"createdAt": "2099-01-01T00:00:00Z"}), "dto.transmissions[0].createdAt",
			"'CreatedAt' must be in the past.",
		},
		{
			"transmission type (2)", with(object{"type": nil}), "dto.transmissions[0].type",
			"'Type' has a range of values which does not include '0'.",
		},
		{"transmission sender (7)", with(object{"sender": nil}), "dto.transmissions[0].sender", "'Sender' must not be empty."},
		{"transmission content (7)", with(object{"content": nil}), "dto.transmissions[0].content", "'Content' must not be empty."},
		{"transmission title (7)", with(object{"content": object{"summary": plain("x")}}), "dto.transmissions[0].content", "Title must not be empty."},
		{
			"transmission media type (7)", with(object{"content": object{"title": plain("x"), "contentReference": plain("x")}}),
			"dto.transmissions[0].content.mediaType", "MediaType 'text/plain' is not allowed for content type ContentReference. Allowed media " +
				"types are 'application/vnd.dialogporten.frontchannelembed-url;type=text/markdown'",
		},
		{
			"transmission externalReference (7)", with(object{"externalReference": long(256)}), "dto.transmissions[0].externalReference",
			tooLong("ExternalReference", 255, 256),
		},
		{
			"related transmission is in the body (7)", with(object{"relatedTransmissionId": "019bc14f-ef80-7000-8010-cbea9ac623b7"}),
			"dto.transmissions[0]", "Item '019bc14f-ef80-7000-8010-cbea9ac623b7' in 'Transmissions' does not exist.",
		},
		{"transmission does not relate to itself (7)", func(s *simulation, d object) {
			id := s.id()
			d["transmissions"] = list{s.transmission(object{"id": id, "relatedTransmissionId": id})}
		}, "dto.transmissions[0].relatedTransmissionId", ""},
		{
			"transmission attachment media type (7)", with(object{"attachments": list{object{"urls": list{object{
				"url":          "https://x.no",
				"consumerType": "Gui", "mediaType": long(256),
			}}}}}), "dto.transmissions[0].attachments[0].urls[0].mediaType",
			tooLong("MediaType", 255, 256),
		},
		{
			"transmission attachment has not expired (7)", with(object{"attachments": list{object{
				"expiresAt": "2020-01-01T00:00:00Z",
				"urls":      list{object{"url": "https://x.no", "consumerType": "Gui"}},
			}}}), "dto.transmissions[0].attachments[0].expiresAt",
			"'ExpiresAt' must be in the future.",
		},
		{
			"navigational action title (7)", with(object{"navigationalActions": list{object{"url": "https://x.no"}}}),
			"dto.transmissions[0].navigationalActions[0].title", "'Title' must not be empty.",
		},
		{"navigational action has not expired (7)", with(object{"navigationalActions": list{object{
			"url": "https://x.no", "title": texts("nb", "x"),
			"expiresAt": "2020-01-01T00:00:00Z",
		}}}), "dto.transmissions[0].navigationalActions[0].expiresAt", "'ExpiresAt' must be in the future."},
	}
}

// Each rule of Chapter 7 is told under the key of Chapter 3, and nothing is stored.
func TestCreateRules(t *testing.T) {
	t.Parallel()
	var cases []bodyCase
	for _, some := range [][]bodyCase{dialogRules(), contentRules(), childRules(), activityRules(), transmissionRules()} {
		cases = append(cases, some...)
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			d := s.dialog()
			test.change(s, d)
			a := s.send(request{method: "POST", path: dialogs, query: silent(), body: d}).is(400).hasKey(test.key)
			if test.message != "" {
				a.has(test.key, test.message)
			}
			alive, _ := s.service.Count()
			require.Zero(t, alive)
		})
	}
}

// All faults are told in one answer (Chapter 3).
func TestCreateRulesAllAtOnce(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	d := s.dialog(object{"party": "", "progress": 101, "content": object{"title": plain(""), "summary": plain(long(256))}})
	require.ElementsMatch(t, []string{
		"dto.party: 'Party'" + partyFault, "dto.party: 'Party' must not be empty.",
		"dto.progress: 'Progress' must be between 0 and 100. You entered 101.", "dto.content.value[0].value: 'Value' must not be empty.",
		"dto.content.value[0].value: " + tooLong("Value", 255, 256),
	},
		s.send(request{method: "POST", path: dialogs, body: d}).is(400).errors())
}

// What is just within the rules is taken.
func TestCreateTakes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		token  string
		change func(*simulation, object)
	}{
		{"id 14 s ahead (11)", owner(), func(s *simulation, d object) { d["id"] = s.idAt(14 * time.Second) }},
		{"createdAt 15 s ahead (7)", owner(), func(s *simulation, d object) { d["createdAt"] = s.at(15 * time.Second) }},
		{"no status (7)", owner(), func(_ *simulation, d object) { delete(d, "status") }},
		{"no content when API-only (7)", owner(), func(_ *simulation, d object) { delete(d, "content"); d["isApiOnly"] = true }},
		{"person (11)", owner(), set("party", personParty)},
		{"self-identified (11)", owner(), set("party", "urn:altinn:person:legacy-selfidentified:Ola.Nordmann")},
		{"e-mail (11)", owner(), set("party", "urn:altinn:person:idporten-email:ola@example.com")},
		{"title of 512 with the correspondence scope (7)", owner(scopeCorr), content("title", plain(long(512)))},
		{"description of 4095 with the correspondence scope (7)", owner(scopeCorr), in("activities", func(s *simulation) object {
			return s.activity(object{"type": "Information", "description": texts("nb", long(4095))})
		})},
		{"HTML with the scope (7)", owner(scopeHTML), content("additionalInfo", object{
			"mediaType": "text/html",
			"value":     texts("nb", `<p>a <a href="https://x.no">b</a><br/></p>`),
		})},
		{"embedded HTML with the scope (7)", owner(scopeHTML), content("mainContentReference", object{
			"mediaType": "application/vnd.dialogporten.frontchannelembed+json;type=html", "value": texts("nb", "https://x.no"),
		})},
		{"culture codes (7)", owner(), content("title", object{"value": texts(" EN_gb ", "x", "nb-NO", "y")})},
		{"dueAt before visibleFrom by an administrator (7)", admin(), func(s *simulation, d object) {
			d["dueAt"], d["visibleFrom"] = s.at(time.Hour), s.at(2*time.Hour)
		}},
		{"past dates, silent (12)", owner(), set("dueAt", "2020-01-01T00:00:00Z")},
		{"null for what may be null (2)", owner(), func(_ *simulation, d object) {
			for _, name := range []string{"idempotentKey", "progress", "dueAt", "process", "status", "systemLabel", "serviceOwnerContext", "createdAt"} {
				d[name] = nil
			}
		}},
		{"upper-case attribute (7)", owner(), in("guiActions", func(s *simulation) object {
			return s.guiAction(object{"authorizationAttribute": "URN:Altinn:Task:Task_1-x"})
		})},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			d := s.dialog()
			test.change(s, d)
			s.send(request{method: "POST", path: dialogs, query: silent(), token: test.token, body: d}).is(201)
		})
	}
}

// HTML is refused unless it holds only the allowed tags (Chapter 7, Content).
func TestHTML(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for text, status := range map[string]int{
		"plain & simple": 201, "<p>x</p>": 201, "<P>x</P>": 201, "a < b": 201, "<table><thead><tr><th>x</th></tr></thead></table>": 201,
		`<a href='https://x.no'>x</a>`: 201, "<!-- x --><em>y</em>": 201,
		"<script>x</script>": 400, `<p class="x">y</p>`: 400, `<a href="http://x.no">x</a>`: 400, `<a>x</a>`: 400,
		`<a href="https://x.no" target="_blank">x</a>`: 400, "<div>": 400, "<h1>x</h1>": 400,
	} {
		a := s.send(request{method: "POST", path: dialogs, token: owner(scopeHTML), body: s.dialog(object{"content": object{
			"title":          plain("x"),
			"additionalInfo": object{"mediaType": "text/html", "value": texts("nb", text)},
		}})})
		require.Equal(t, status, a.status, "%s: %s", text, a.body)
		if status == 400 {
			a.hasKey("dto.content.value[0]")
			require.Contains(t, a.errors()[0], "Value contains unsupported HTML.")
		}
	}
}
