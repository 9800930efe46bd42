package ecrpush

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/org/connect2/v2/internal/dockerengine"
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
	var scan *scanError
	_, isPublic := errors.AsType[*publicLoginError](err)
	switch {
	case errors.As(err, &scan):
		return scan.title()
	case unsigned(err):
		return "The image is not signed with a key that is trusted"
	case isPublic:
		return publicECR + " takes a login to push"
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
	case noEngine(err) != nil:
		return "No answer from Docker"
	case silentHost(err) != "":
		return "No answer from " + silentHost(err)
	case strings.HasPrefix(err.Error(), "source "):
		return "The source is not usable"
	default:
		return "The push failed"
	}
}

// noEngine returns what a Docker engine that does not answer is told with; nil where it is another error.
func noEngine(err error) *dockerengine.UnansweredError {
	silent, _ := errors.AsType[*dockerengine.UnansweredError](err)
	return silent
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
	var absent *image.NotFoundError
	var refusal *image.RegistryError
	var scan *scanError
	switch {
	case errors.As(err, &scan):
		return scan.advice()
	case unsigned(err):
		return "Sign it where it was built (cosign sign --key KEY IMAGE@DIGEST), or give the public key of who signed it."
	case errors.As(err, &missing) && missing.source:
		return "" // the message says it
	case errors.As(err, &absent) && ofECR(absent.Reference):
		return "Where a pull-through cache is to make it, the role needs ecr:BatchImportUpstreamImage, and ecr:CreateRepository for the first " +
			"pull: without them ECR answers that there is no such image."
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound && atPublic(refusal):
		return "Create it first, " + publicECR + " does not with a push: aws ecr-public create-repository --region us-east-1."
	case errors.As(err, &missing):
		return "Create it where the infrastructure is described, or set create-repository: true."
	case errors.As(err, &refusal) && refusal.Status == http.StatusForbidden && refusal.Permission != "":
		return "Grant " + refusal.Permission + " on the repository to the role that pushes, then run it again."
	case errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized:
		return "Give the login as registry-credentials: HOST=USER:PASSWORD. What docker login left is read outside an action's container alone."
	case noEngine(err) != nil:
		return noEngine(err).Advice() + " A file that docker save wrote is pushed without one."
	case silentHost(err) != "":
		return "Check the registry's name and this machine's way there: DNS, the proxy, a firewall."
	default:
		return ""
	}
}

// ofECR says whether an image is of a private ECR, where a pull-through cache may stand behind a repository: its name begins with that of
// the upstream registry.
func ofECR(ref image.Reference) bool {
	_, ok := image.ParseECRHost(ref.Registry)
	return ok && strings.Contains(ref.Repository, "/")
}

// quotas are what ECR lets one image and repository have.
const quotas = "ECR takes 1,000 tags of an image, 4,200 parts of 10 MiB of a layer, 4 MiB of a manifest, and as many images in a " +
	"repository as Service Quotas says (Images per repository, which AWS raises): delete images by a lifecycle policy, make the image " +
	"smaller, or ask for more."

// hopeless says what to do about a failure that another try does not mend; it is empty where one may.
func hopeless(err error) string {
	var immutable *image.ImmutableTagError
	var refusal *image.RegistryError
	var aws *awserr.Problem
	var unknownHost *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &immutable):
		return "Push under a new tag, or except this one from the repository's immutability."
	case image.Hopeless(err):
		return "Make the image again: another push of this source ends in the same way."
	case errors.Is(err, syscall.ENOSPC):
		return "Give TMPDIR a folder with more room, then run it again."
	case errors.As(err, &certificate):
		return "Have this machine trust the registry's certificate (AWS_CA_BUNDLE, SSL_CERT_FILE)."
	case errors.As(err, &unknownHost) && unknownHost.IsNotFound:
		return "Check the registry's name: there is no such host."
	case errors.As(err, &refusal) && aboutQuota(refusal):
		return quotas
	case errors.As(err, &refusal) && refusal.Passing():
		return ""
	case errors.As(err, &refusal):
		return "The registry refuses it as it is: another push of this source ends in the same way."
	case errors.As(awserr.Explain(err), &aws) && !awserr.IsThrottled(err) && !awserr.IsLost(err):
		return cmp.Or(aws.Advice, "Mend what AWS refuses: another push ends in the same way.")
	}
	return ""
}

// aboutQuota says whether a registry refused for a limit that was reached.
func aboutQuota(e *image.RegistryError) bool {
	text := strings.ToLower(e.Code + " " + e.Message)
	return e.Status == http.StatusRequestEntityTooLarge || e.Status != http.StatusTooManyRequests &&
		(strings.Contains(text, "quota") || strings.Contains(text, "limit") && strings.Contains(text, "exceed"))
}
