package ecsdeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// keepImage tags the digest that succeeded in ECR as live-SERVICE-TIME. ECR has no lifecycle rule "what is deployed", so a
// rule that keeps live-* is what saves the image that a rollback needs. It is optional: a failure is a warning.
func (d *Deployment) keepImage(ctx context.Context) {
	if d.image.Digest == "" || !d.registries.IsECR(d.image.Registry) {
		return
	}
	tag := liveTag(d.in.Service, time.Now())
	err := tagDigest(ctx, d.ecr(), registryID(d.image), d.image, tag)
	switch {
	case err == nil:
		d.env.Log.Eventf("tagged the image %s, so that it is kept for rollbacks", tag)
	case awserr.Optional(d.env.Log.Sink(), "Tagging the image that is live, so that lifecycle rules keep it", err):
	default:
		d.env.Log.Warnf("Live image not tagged", "a lifecycle rule may delete the image that is live: %v", awserr.Explain(err))
	}
}

// ecr returns the client of the region that the image's registry is in.
func (d *Deployment) ecr() *ecr.Client {
	return ecr.NewFromConfig(d.conn.Config, func(o *ecr.Options) {
		if host, ok := image.ParseECRHost(d.image.Registry); ok {
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
	name := arn.Last(service)
	stamp := at.UTC().Format("20060102T150405Z")
	return "live-" + name[:min(len(name), 100)] + "-" + stamp
}

// tagDigest gives a digest one more tag: ECR has no call for that but to put its manifest again.
func tagDigest(ctx context.Context, client *ecr.Client, registry *string, ref image.Reference, tag string) error {
	found, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId:         registry,
		RepositoryName:     aws.String(ref.Repository),
		ImageIds:           []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(ref.Digest)}},
		AcceptedMediaTypes: image.ManifestTypes,
	})
	if err != nil {
		return fmt.Errorf("reading the manifest of %s: %w", ref, err)
	}
	if len(found.Images) == 0 {
		return fmt.Errorf("reading the manifest of %s: ECR has none", ref)
	}
	_, err = client.PutImage(ctx, &ecr.PutImageInput{
		RegistryId:             registry,
		RepositoryName:         aws.String(ref.Repository),
		ImageManifest:          found.Images[0].ImageManifest,
		ImageManifestMediaType: found.Images[0].ImageManifestMediaType,
		ImageDigest:            aws.String(ref.Digest),
		ImageTag:               aws.String(tag),
	})
	if err != nil {
		return fmt.Errorf("tagging %s as %s: %w", ref, tag, err)
	}
	return nil
}
