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
//
// A tag or a commit is not in the list of deployments: it is looked for in versions, see Named. Where it could be meant and is not
// there, the error says so.
func Find(deployments []Deployment, versions []Version, to, current string) (Found, error) {
	to = strings.TrimSpace(to)
	switch {
	case strings.Contains(to, ":service-deployment/"):
		i := slices.IndexFunc(deployments, func(d Deployment) bool { return d.ARN == to })
		if i < 0 || deployments[i].TaskDefinition == "" {
			return Found{}, fmt.Errorf("ECS lists no deployment %s of this service; it keeps them for 90 days", to)
		}
		return found(deployments, deployments[i].TaskDefinition), nil
	case strings.Contains(to, ":task-definition/"):
		return found(deployments, to), nil
	}
	// Digits alone that are as many as those of a shortened commit may be one, or a tag that counts builds.
	if taskDefinition := named(versions, to); taskDefinition != "" && len(to) >= fewest && strings.Trim(to, "0123456789") == "" {
		return found(deployments, taskDefinition), nil
	}
	if revision, ok := revisionNamed(to, arn.Family(current)); ok {
		return found(deployments, arn.Sibling(current, revision)), nil
	}
	if digestLike(to) {
		if d, ok := byDigest(deployments, to); ok {
			return found(deployments, d.TaskDefinition), nil
		}
	}
	if taskDefinition := named(versions, to); taskDefinition != "" {
		return found(deployments, taskDefinition), nil
	}
	if digestLike(to) {
		return Found{}, fmt.Errorf("no deployment that succeeded in the last 90 days ran an image with the digest %s, or was made from "+
			"that commit", to)
	}
	return Found{}, fmt.Errorf("%q is not a revision number, FAMILY:NUMBER, ARN or digest, nor the image tag or commit of a version that "+
		"is known", to)
}

// ByName reports whether a version is named by something that only the tags of its revision tell: an image tag or a commit.
func ByName(to string) bool {
	to = strings.TrimSpace(to)
	_, revision := revisionNamed(to, "family")
	return !strings.Contains(to, ":service-deployment/") && !strings.Contains(to, ":task-definition/") && !strings.HasPrefix(to, "sha256:") &&
		!revision && to != ""
}

// revisionNamed reads NUMBER or FAMILY:NUMBER. No number begins with a zero: that is a commit which is shortened to digits.
func revisionNamed(to, family string) (revision string, ok bool) {
	if digestLike(to) {
		return revision, false
	}
	number := to
	if f, n, both := strings.Cut(to, ":"); both {
		family, number = f, n
	}
	if n, err := strconv.Atoi(number); err != nil || n < 1 || family == "" || strings.HasPrefix(number, "0") {
		return revision, false
	}
	return family + ":" + number, true
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

// fewest is how many digits of a commit name it, as git itself shortens one.
const fewest = 7

// named returns the newest of the versions that have this image tag or are from this commit, or "". A tag counts for more.
func named(versions []Version, to string) string {
	for _, v := range versions { // newest first
		if v.Tag == to && to != "" {
			return v.Deployment.TaskDefinition
		}
	}
	for _, v := range versions {
		if len(to) >= fewest && strings.HasPrefix(v.Commit, to) {
			return v.Deployment.TaskDefinition
		}
	}
	return ""
}

func digestLike(s string) bool {
	hex, prefixed := strings.CutPrefix(s, "sha256:")
	if len(hex) < 12 || len(hex) > 64 || !isHex(hex) {
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
