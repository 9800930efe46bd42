package ecrpush

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// titleOf names the root cause of a failed push in one short line.
func titleOf(err error) string {
	var immutable *image.ImmutableTagError
	var missing *missingRepository
	var absent *image.NotFoundError
	var refusal *image.RegistryError
	var aws *awserr.Problem
	switch {
	case errors.As(err, &immutable):
		return fmt.Sprintf("Tag %s is immutable and belongs to another image", immutable.Tag)
	case errors.As(err, &missing):
		return "No such ECR repository: " + missing.name
	case errors.As(err, &absent):
		return "The source image does not exist"
	case errors.As(err, &refusal) && refusal.Status == http.StatusForbidden && refusal.Permission != "":
		return "Permission missing: " + refusal.Permission
	case errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized:
		return "The registry refuses the credentials"
	case errors.As(err, &refusal) && refusal.Status == http.StatusTooManyRequests:
		return "The registry is throttling"
	case errors.As(err, &refusal):
		return fmt.Sprintf("The registry answered %d", refusal.Status)
	case errors.As(awserr.Explain(err), &aws) && aws.Title != "":
		return aws.Title
	case silentHost(err) != "":
		return "No answer from " + silentHost(err)
	case strings.HasPrefix(err.Error(), "source "):
		return "The source is not usable"
	default:
		return "The push failed"
	}
}

// silentHost returns the host that a request did not reach; "" where it is another error.
func silentHost(err error) string {
	var request *url.Error
	if !errors.As(err, &request) {
		return ""
	}
	at, parseErr := url.Parse(request.URL)
	if parseErr != nil {
		return ""
	}
	return at.Host
}

// adviceOf says what to do next, where the message does not.
func adviceOf(err error) string {
	var missing *missingRepository
	var refusal *image.RegistryError
	switch {
	case errors.As(err, &missing):
		return "Create it where the infrastructure is described, or set create-repository: true."
	case errors.As(err, &refusal) && refusal.Status == http.StatusForbidden && refusal.Permission != "":
		return "Grant " + refusal.Permission + " on the repository to the role that pushes, then run it again."
	case errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized:
		return "Give the login as registry-credentials: HOST=USER:PASSWORD. What docker login left is read outside an action's container alone."
	case silentHost(err) != "":
		return "Check the registry's name and this machine's way there: DNS, the proxy, a firewall."
	default:
		return ""
	}
}
