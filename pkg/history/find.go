package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// Found is what a person meant by naming a version.
type Found struct {
	TaskDefinition string      // ARN, FAMILY:NUMBER or FAMILY
	Deployment     *Deployment // the newest that deployed it with success; nil if none is listed
}

// Find reads what a rollback is to go to: a revision's number, FAMILY:NUMBER, the ARN of a task definition or of a service
// deployment, or an image's digest ("sha256:…", or at least 12 of its hex digits). current is the ARN of the task definition
// that runs now, whose family a bare number belongs to.
func Find(deployments []Deployment, to, current string) (Found, error) {
	to = strings.TrimSpace(to)
	family := arn.Family(current)
	switch {
	case strings.Contains(to, ":service-deployment/"):
		i := slices.IndexFunc(deployments, func(d Deployment) bool { return d.ARN == to })
		if i < 0 || deployments[i].TaskDefinition == "" {
			return Found{}, fmt.Errorf("ECS lists no deployment %s of this service; it keeps them for 90 days", to)
		}
		return found(deployments, deployments[i].TaskDefinition), nil
	case strings.Contains(to, ":task-definition/"):
		return found(deployments, to), nil
	case digestLike(to):
		d, ok := byDigest(deployments, to)
		if !ok {
			return Found{}, fmt.Errorf("no deployment that succeeded in the last 90 days ran an image with the digest %s", to)
		}
		return found(deployments, d.TaskDefinition), nil
	}
	number := to
	if f, n, ok := strings.Cut(to, ":"); ok {
		family, number = f, n
	}
	if n, err := strconv.Atoi(number); err != nil || n < 1 {
		return Found{}, fmt.Errorf("%q is no revision number, FAMILY:NUMBER, ARN or digest", to)
	}
	return found(deployments, arn.Sibling(current, family+":"+number)), nil
}

func found(deployments []Deployment, taskDefinition string) Found {
	f := Found{TaskDefinition: taskDefinition}
	for i, d := range deployments { // newest first
		if d.Succeeded() && arn.Revision(d.TaskDefinition) == arn.Revision(taskDefinition) {
			f.Deployment = &deployments[i]
			break
		}
	}
	return f
}

func digestLike(s string) bool {
	hex, prefixed := strings.CutPrefix(s, "sha256:")
	if len(hex) < 12 || len(hex) > 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return false
	}
	return prefixed || strings.Trim(hex, "0123456789") != "" || len(hex) == 64
}

func byDigest(deployments []Deployment, digest string) (Deployment, bool) {
	digest = "sha256:" + strings.TrimPrefix(digest, "sha256:")
	for _, d := range deployments {
		if d.Succeeded() && slices.ContainsFunc(d.Images, func(i Image) bool {
			return strings.HasPrefix(i.Digest, digest) || strings.Contains(i.Image, "@"+digest)
		}) {
			return d, true
		}
	}
	return Deployment{}, false
}
