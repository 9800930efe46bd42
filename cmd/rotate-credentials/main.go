// Command rotate-credentials is the Lambda function that rotates the service's database password and, where it is told
// of one, the auth token of its cache; see pkg/rotation.
// Its settings are environment variables, which terraform/modules/secret-rotation sets.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/org/connect2/v2/pkg/rotation"
)

func main() {
	log.SetFlags(0) // CloudWatch has the time
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// run returns an error where a setting is missing or wrong. Otherwise it serves, and the process ends in it.
func run(ctx context.Context) error {
	var problems []error
	setting := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			problems = append(problems, fmt.Errorf("%s is not set", name))
		}
		return value
	}
	setting("AWS_LAMBDA_RUNTIME_API")                                   // for Serve
	cluster, services := setting("ECS_CLUSTER"), setting("ECS_SERVICE") // names with commas between them
	rotator := rotation.Rotator{
		Connect:     rotation.ConnectPostgres,
		AdminSecret: setting("ADMIN_SECRET"),
		AdminUser:   setting("ADMIN_USER"),
		Users:       [2]string{setting("USER_A"), setting("USER_B")},
		Owner:       setting("OWNER"),
		SSLMode:     setting("SSL_MODE"),
		Logf:        log.Printf,
	}
	cacheSecret, group := os.Getenv("REDIS_SECRET"), os.Getenv("REDIS_GROUP")
	if (cacheSecret == "") != (group == "") {
		problems = append(problems, errors.New("REDIS_SECRET and REDIS_GROUP belong together: one of them is not set"))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	configuration, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	rotator.Secrets = rotation.SecretsManager{Client: secretsmanager.NewFromConfig(configuration)}
	rotator.Service = rotation.ECSServices{Client: ecs.NewFromConfig(configuration), Cluster: cluster, Names: strings.Split(services, ",")}
	cache := rotation.RedisRotator{
		Rotator: rotation.Rotator{Secrets: rotator.Secrets, Service: rotator.Service, Logf: log.Printf},
		Cache:   rotation.ReplicationGroup{Client: elasticache.NewFromConfig(configuration), ID: group},
		Login:   func(ctx context.Context, url string) error { return rotation.LoginRedis(ctx, url, nil) },
	}
	// Secrets Manager names a secret by its ARN, and so does REDIS_SECRET; whatever is not the cache's is the database's.
	rotation.Serve(ctx, func(ctx context.Context, event rotation.Event) error {
		if cacheSecret != "" && event.SecretID == cacheSecret {
			return cache.Handle(ctx, event)
		}
		return rotator.Handle(ctx, event)
	})
	return nil
}
