package image

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// networkTransport is how registries are reached. It keeps to HTTP/1.1: parallel uploads then have a connection each, where
// HTTP/2 would put them all through the flow control of one.
var networkTransport = sync.OnceValue(func() http.RoundTripper {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
	}
	// A company that inspects traffic says so to the AWS tools with AWS_CA_BUNDLE, and means ECR's registry as well.
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		if pem, err := os.ReadFile(bundle); err == nil {
			roots, err := x509.SystemCertPool()
			if err != nil {
				roots = x509.NewCertPool()
			}
			roots.AppendCertsFromPEM(pem)
			t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		}
	}
	return t
})
