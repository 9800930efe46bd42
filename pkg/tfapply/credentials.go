package tfapply

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/org/connect2/v2/pkg/awsconn"
)

// serveCredentials hands the run's AWS credentials to Terraform, its backend and its providers, as long as it lasts: an apply
// may take longer than a role's session, and credentials that were put into the environment would end within it. All AWS
// SDKs ask an address of this machine that AWS_CONTAINER_CREDENTIALS_FULL_URI names, with a token that only the child knows.
func serveCredentials(ctx context.Context, conn *awsconn.Conn) (env map[string]string, stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	token := rand.Text()
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
			http.Error(w, "who asks?", http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		c, err := conn.Config.Credentials.Retrieve(ctx)
		if err != nil {
			http.Error(w, "no credentials", http.StatusInternalServerError)
			return
		}
		answer := map[string]string{"AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken}
		expires := time.Now().Add(time.Hour)
		if c.CanExpire {
			expires = c.Expires
		}
		answer["Expiration"] = expires.UTC().Format(time.RFC3339)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the child sees a short answer itself
	})}
	go func() { _ = server.Serve(listener) }()
	return map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://" + listener.Addr().String() + "/",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN":  token,
		// Whatever would come before it in the order of credentials.
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "",
	}, server.Close, nil
}
