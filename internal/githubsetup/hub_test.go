package githubsetup

import (
	"net/http"
	"testing"

	"github.com/org/connect2/v2/internal/githubapi"
)

func hubOver(t *testing.T, over http.RoundTripper) hub {
	t.Helper()
	api, err := githubapi.New("https://ghe.example/api/v3", "gh-secret-token", over)
	if err != nil {
		t.Fatal(err)
	}
	return hub{api}
}
