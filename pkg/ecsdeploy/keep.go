package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// keepImages tags the digests that succeeded in ECR as live-SERVICE-TIME. ECR has no lifecycle rule "what is deployed", so a
// rule that keeps live-* is what saves the image that a rollback needs. A digest that has such a tag of this service gets no other:
// an image may have 1,000. It is optional: a failure is a warning.
func (p *plan) keepImages(ctx context.Context) {
	kept := map[string]bool{}
	for _, found := range slices.Concat([]sidecar{{p.container, p.manifest}}, p.others) {
		if name := found.image.Reference.String(); !kept[name] {
			kept[name] = true
			p.keepImage(ctx, found)
		}
	}
}

// keepImage tags the image of one container.
func (p *plan) keepImage(ctx context.Context, of sidecar) {
	found, name := of.image, arn.Last(p.in.Service)
	if of.container != p.container { // two images of one repository need a tag each
		name = name[:min(len(name), 60)] + "." + of.container
	}
	if found.Reference.Digest == "" || !p.registries.IsECR(found.Reference.Registry) {
		return
	}
	client := p.ecr(found.Reference)
	if p.hasLiveTag(ctx, client, found.Reference, name) {
		return
	}
	tag := liveTag(name, p.env.Clock().Now())
	err := tagDigest(ctx, client, found, tag)
	var there *ecrtypes.ImageAlreadyExistsException
	switch {
	case err == nil, errors.As(err, &there):
		p.env.Events.Notef("tagged the image %s, so that it is kept for rollbacks", tag)
	case awserr.Optional(p.env.Events, "Tagging the image that is live, so that lifecycle rules keep it", err):
	default:
		p.env.Events.Warnf("Live image not tagged", "a lifecycle rule may delete the image that is live: %v", awserr.Explain(err))
	}
}

// hasLiveTag reports whether the digest is known to have a tag of this service already.
func (r *request) hasLiveTag(ctx context.Context, client *ecr.Client, ref image.Reference, name string) bool {
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RegistryId: registryID(ref),
		RepositoryName: aws.String(ref.Repository), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(ref.Digest)}}})
	if err != nil { // worth no warning: it gets one more tag, as long as ECR takes one
		r.env.Events.Debugf("the tags of %s are not known, so it gets one more: %v", ref, err)
		return false
	}
	for _, image := range out.ImageDetails {
		if slices.ContainsFunc(image.ImageTags, func(tag string) bool { return isLiveTag(tag, name) }) {
			return true
		}
	}
	return false
}

// ecr returns the client of the region that the image's registry is in.
func (r *request) ecr(ref image.Reference) *ecr.Client {
	return ecr.NewFromConfig(r.conn.Config, func(o *ecr.Options) {
		if host, ok := image.ParseECRHost(ref.Registry); ok {
			o.Region = host.Region
		}
	})
}

func registryID(ref image.Reference) *string {
	if host, ok := image.ParseECRHost(ref.Registry); ok {
		return aws.String(host.Account)
	}
	return nil
}

// liveTag names a service and a second. Tags hold letters, digits, "_", "." and "-", 128 characters at most.
func liveTag(service string, at time.Time) string {
	return livePrefix(service) + at.UTC().Format(liveTime)
}

const liveTime = "20060102T150405Z"

func livePrefix(service string) string {
	name := arn.Last(service)
	return "live-" + name[:min(len(name), 100)] + "-"
}

// isLiveTag reports whether a tag is one that liveTag made for this service, and not one of a service whose name begins alike.
func isLiveTag(tag, service string) bool {
	stamp, ours := strings.CutPrefix(tag, livePrefix(service))
	_, err := time.Parse(liveTime, stamp)
	return ours && err == nil
}

// tagDigest gives a digest one more tag: ECR has no call for that but to put its manifest again.
func tagDigest(ctx context.Context, client *ecr.Client, found image.Descriptor, tag string) error {
	ref := found.Reference
	if len(found.Manifest) == 0 {
		return fmt.Errorf("tagging %s as %s: its manifest is not known", ref, tag)
	}
	_, err := client.PutImage(ctx, &ecr.PutImageInput{
		RegistryId:             registryID(ref),
		RepositoryName:         aws.String(ref.Repository),
		ImageManifest:          aws.String(string(found.Manifest)),
		ImageManifestMediaType: aws.String(found.MediaType),
		ImageDigest:            aws.String(ref.Digest),
		ImageTag:               aws.String(tag),
	})
	if err != nil {
		return fmt.Errorf("tagging %s as %s: %w", ref, tag, err)
	}
	return nil
}
