package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
)

// ECR is what this package asks of Amazon ECR's API; *ecr.Client has it. Manifests and layers go through the registry.
type ECR interface {
	BatchGetImage(context.Context, *ecr.BatchGetImageInput, ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error)
	BatchCheckLayerAvailability(context.Context, *ecr.BatchCheckLayerAvailabilityInput,
		...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error)
	ListImages(context.Context, *ecr.ListImagesInput, ...func(*ecr.Options)) (*ecr.ListImagesOutput, error)
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
	DescribeRepositories(context.Context, *ecr.DescribeRepositoriesInput, ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error)
	CreateRepository(context.Context, *ecr.CreateRepositoryInput, ...func(*ecr.Options)) (*ecr.CreateRepositoryOutput, error)
	GetAuthorizationToken(context.Context, *ecr.GetAuthorizationTokenInput, ...func(*ecr.Options)) (*ecr.GetAuthorizationTokenOutput, error)
}

// Registries knows how to reach registries: ECR with the run's AWS credentials, all others with those that `docker login` left.
type Registries struct {
	// ECR returns the API client of a region; "" is the region of the run.
	ECR func(region string) ECR
	// Endpoint is the URL that stands in for AWS where the ECR endpoint is overridden (AWS_ENDPOINT_URL), else nil. A registry
	// on its host is ECR as well and is spoken to in its scheme.
	Endpoint *url.URL
	// Transport carries the registry requests; nil is the network.
	Transport http.RoundTripper
	// Keychain has the credentials of other registries; nil is Docker's configuration file and its helpers.
	Keychain authn.Keychain
	// Mask is told of registry passwords before they are used; nil is nobody.
	Mask func(secrets ...string)
	// Observe is told of retries, uploads and reuse, from several goroutines at once; nil is nobody.
	Observe func(Event)

	mu     sync.Mutex
	tokens map[ECR]*ecrToken
}

// tokenOf returns the one token of the registry that a client can log in to.
func (rs *Registries) tokenOf(client ECR) *ecrToken {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.tokens[client] == nil {
		if rs.tokens == nil {
			rs.tokens = map[ECR]*ecrToken{}
		}
		rs.tokens[client] = &ecrToken{client: client, mask: rs.Mask, turn: newTurn()}
	}
	return rs.tokens[client]
}

// NewRegistries returns the way to the registries that an AWS configuration can reach. A nil transport is the network.
func NewRegistries(cfg aws.Config, transport http.RoundTripper) *Registries {
	own := ecr.NewFromConfig(cfg)
	var regions sync.Map // of other regions: their clients
	r := &Registries{
		Transport: forUploads(transport),
		ECR: func(region string) ECR {
			if region == "" || region == cfg.Region {
				return own
			}
			client, _ := regions.LoadOrStore(region, ecr.NewFromConfig(cfg, func(o *ecr.Options) { o.Region = region }))
			return client.(ECR)
		},
	}
	if endpoint := own.Options().BaseEndpoint; endpoint != nil {
		if u, err := url.Parse(*endpoint); err == nil && u.Host != "" {
			r.Endpoint = u
		}
	}
	return r
}

// IsECR says whether the registry on this host[:port] is a private Amazon ECR that AWS credentials open.
func (rs *Registries) IsECR(host string) bool {
	_, ok := ParseECRHost(host)
	return rs != nil && rs.ECR != nil && (ok || rs.atEndpoint(host))
}

func (rs *Registries) atEndpoint(host string) bool {
	return rs.Endpoint != nil && strings.EqualFold(host, rs.Endpoint.Host)
}

// ecrFor returns the ECR client of a registry host and the account to name in its calls, nil for the caller's own.
func (rs *Registries) ecrFor(host string) (client ECR, registryID *string) {
	h, ok := ParseECRHost(host)
	if !ok {
		return rs.ECR(""), nil
	}
	return rs.ECR(h.Region), aws.String(h.Account)
}

// ecrToken is the password of an ECR registry. It lasts up to 12 hours, but ends with the credentials that asked for it, so
// every holder must be ready to ask again.
type ecrToken struct {
	client ECR
	mask   func(...string) // told of each token before it is used; may be nil

	turn    turn
	value   string
	expiry  time.Time
	asked   time.Time
	renewed string // the token that was asked for after a refusal
}

// header returns the Authorization header to send, with a token that has at least five minutes to go.
func (t *ecrToken) header(ctx context.Context) (string, error) {
	t.turn.take()
	defer t.turn.end()
	if t.value != "" && time.Until(t.expiry) > 5*time.Minute {
		return t.value, nil
	}
	err := t.ask(ctx)
	return t.value, err
}

// renew asks for a new token after the registry refused one, and says whether trying again makes sense: not when the one
// refused was fresh and itself the answer to a refusal, for then it is the permission that is missing.
func (t *ecrToken) renew(ctx context.Context, refused string) bool {
	t.turn.take()
	defer t.turn.end()
	if t.value != refused {
		return true // somebody else has renewed it since
	}
	if t.renewed == refused && time.Since(t.asked) < time.Minute {
		return false
	}
	if t.ask(ctx) != nil {
		return false
	}
	t.renewed = t.value
	return true
}

// ask gets a token from ECR. The caller holds the lock.
func (t *ecrToken) ask(ctx context.Context) error {
	out, err := t.client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return fmt.Errorf("asking ECR for a registry token: %w", err)
	}
	if len(out.AuthorizationData) == 0 {
		return errors.New("asking ECR for a registry token: the answer holds none")
	}
	data := out.AuthorizationData[0]
	token := aws.ToString(data.AuthorizationToken)
	decoded, err := base64.StdEncoding.DecodeString(token)
	_, password, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok {
		return errors.New("asking ECR for a registry token: the answer is not the base64 of USER:PASSWORD")
	}
	if t.mask != nil {
		t.mask(token, password)
	}
	t.value, t.asked, t.expiry = "Basic "+token, time.Now(), time.Now().Add(12*time.Hour)
	if data.ExpiresAt != nil {
		t.expiry = *data.ExpiresAt
	}
	return nil
}
