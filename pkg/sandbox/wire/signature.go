package wire

import (
	"net/http"
	"strings"
)

// credential is what a Signature Version 4 request says about its sender. The signature itself is not verified.
type credential struct {
	AccessKeyID, Region, Service string
	SessionToken                 string
}

// credentialOf reads the credential scope of a signed request, from the Authorization header or, for presigned
// requests, from the query. ok is false when the request is not signed.
// Form: KEY/DATE/REGION/SERVICE/aws4_request (AWS General Reference, "Signature Version 4").
func credentialOf(r *http.Request) (c credential, ok bool) {
	scope := r.URL.Query().Get("X-Amz-Credential")
	c.SessionToken = r.URL.Query().Get("X-Amz-Security-Token")
	if header, signed := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); signed {
		c.SessionToken = r.Header.Get("X-Amz-Security-Token")
		for part := range strings.SplitSeq(header, ",") {
			if value, found := strings.CutPrefix(strings.TrimSpace(part), "Credential="); found {
				scope = value
			}
		}
	}
	parts := strings.Split(scope, "/")
	if len(parts) < 5 {
		return c, false
	}
	parts = parts[len(parts)-5:]
	c.AccessKeyID, c.Region, c.Service = parts[0], parts[2], parts[3]
	return c, c.AccessKeyID != ""
}
