package authentication

import (
	"mime"
	"strconv"
	"strings"
)

// wantsJSON tells whether an Accept header asks for JSON rather than plain text. Without one, with */* anywhere in it, and
// with nothing that could be answered, the answer is plain text (2.2).
func wantsJSON(accept []string) bool {
	best, json := 0.0, false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaType, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality := 1.0
		if text, ok := parameters["q"]; ok {
			if quality, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if mediaType == "*/*" {
			return false
		}
		isJSON := mediaType == "application/json" || mediaType == "text/json" || mediaType == "application/*"
		if quality > best && (isJSON || mediaType == "text/plain" || mediaType == "text/*") {
			best, json = quality, isJSON
		}
	}
	return json
}
