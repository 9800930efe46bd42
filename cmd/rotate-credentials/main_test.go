package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	databaseSecret = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/rds-credentials-AbCdEf"
	cacheSecret    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/redis-credentials-GhIjKl"
)

// asFunction is set where the test's binary is started again as the function.
const asFunction = "ROTATE_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) == "" {
		os.Exit(m.Run())
	}
	main()
}

var settings = map[string]string{
	"ADMIN_SECRET": "admin", "ADMIN_USER": "postgres", "ECS_CLUSTER": "c", "ECS_SERVICE": "s", "OWNER": "owner", "SSL_MODE": "require",
	"USER_A": "user_a", "USER_B": "user_b", "AWS_LAMBDA_RUNTIME_API": "", "REDIS_SECRET": "", "REDIS_GROUP": "",
}

func environment(t *testing.T, changed map[string]string) {
	t.Helper()
	for name, value := range settings {
		t.Setenv(name, value)
	}
	for name, value := range changed {
		t.Setenv(name, value)
	}
}

func TestWhatIsMissingIsToldAtOnce(t *testing.T) {
	empty := map[string]string{"REDIS_SECRET": cacheSecret}
	for name := range settings {
		if name != "REDIS_SECRET" {
			empty[name] = ""
		}
	}
	environment(t, empty)
	err := run(t.Context())
	if err == nil {
		t.Fatal("nothing is set, and yet it ran")
	}
	for name := range settings {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v: does not name %s", err, name)
		}
	}
}

// The module must set what the function reads, and nothing that it does not.
func TestTheModuleSetsWhatTheFunctionReads(t *testing.T) {
	text, err := os.ReadFile("../../terraform/modules/secret-rotation/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	var set, read []string
	for _, found := range regexp.MustCompile(`(?m)^ +([A-Z][A-Z_]+) += `).FindAllSubmatch(text, -1) {
		set = append(set, string(found[1]))
	}
	for name := range settings {
		if name != "AWS_LAMBDA_RUNTIME_API" { // Lambda's own
			read = append(read, name)
		}
	}
	slices.Sort(set)
	slices.Sort(read)
	if diff := cmp.Diff(read, set); diff != "" {
		t.Error(diff)
	}
}

// Each secret's event does the work of what it belongs to: the shape of the version that is written tells which.
func TestAnEventGoesToWhatItsSecretBelongsTo(t *testing.T) {
	const database = `{"username":"postgres","password":"p","host":"db","port":5432,"database":"connect2","url":"postgresql://postgres:p@db:5432/connect2"}`
	const cache = `{"password":"a-token-in-force","host":"redis","port":6379,"url":"rediss://:a-token-in-force@redis:6379"}`
	for name, test := range map[string]struct {
		secret string
		group  bool
		value  string
		want   string // of the pending version's url
		fails  string
	}{
		"the database's":                     {databaseSecret, true, database, `^postgresql://user_a:[A-Za-z0-9]{40}@db:5432/connect2$`, ""},
		"the cache's":                        {cacheSecret, true, cache, `^rediss://:[A-Za-z0-9]{40}@redis:6379$`, ""},
		"the database's, without a cache":    {databaseSecret, false, database, `^postgresql://user_a:[A-Za-z0-9]{40}@db:5432/connect2$`, ""},
		"the cache's, though it has no turn": {cacheSecret, false, cache, "", "lacks username, host, port or database"},
	} {
		t.Run(name, func(t *testing.T) {
			var written struct{ SecretString string }
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var in struct{ SecretId, VersionStage string }
				body, _ := io.ReadAll(r.Body)
				if err := json.Unmarshal(body, &in); err != nil || in.SecretId != test.secret {
					t.Errorf("asked of %s: %s, %v", in.SecretId, body, err)
				}
				_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
				switch {
				case operation == "DescribeSecret":
					fmt.Fprint(w, `{"RotationEnabled":true,"VersionIdsToStages":{"v1":["AWSCURRENT"],"v2":["AWSPENDING"]}}`)
				case operation == "GetSecretValue" && in.VersionStage == "AWSPENDING":
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(w, `{"__type":"ResourceNotFoundException"}`)
				case operation == "GetSecretValue":
					_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": test.value})
				case operation == "PutSecretValue":
					_ = json.Unmarshal(body, &written)
					fmt.Fprint(w, `{}`)
				default:
					t.Errorf("unexpected call %s", operation)
				}
			}))
			defer api.Close()
			asked, answered := 0, ""
			lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					body, _ := io.ReadAll(r.Body)
					answered = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] + " " + string(body)
					w.WriteHeader(http.StatusAccepted)
					return
				}
				if asked++; asked > 1 {
					w.WriteHeader(http.StatusGone) // ends the loop
					return
				}
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "one")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
				fmt.Fprintf(w, `{"Step":"createSecret","SecretId":%q,"ClientRequestToken":"v2"}`, test.secret)
			}))
			defer lambda.Close()

			changed := map[string]string{
				"AWS_LAMBDA_RUNTIME_API": strings.TrimPrefix(lambda.URL, "http://"), "AWS_ENDPOINT_URL": api.URL, "AWS_REGION": "us-west-2",
				"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_CA_BUNDLE": "", "AWS_PROFILE": "",
			}
			if test.group {
				changed["REDIS_SECRET"], changed["REDIS_GROUP"] = cacheSecret, "group"
			}
			environment(t, changed)
			function := exec.CommandContext(t.Context(), os.Args[0])
			function.Env = append(os.Environ(), asFunction+"=1")
			if out, err := function.CombinedOutput(); err == nil || !strings.Contains(string(out), "410") {
				t.Fatalf("got %v, want the runtime's end\n%s", err, out)
			}
			if test.fails != "" {
				if !strings.HasPrefix(answered, "error ") || !strings.Contains(answered, test.fails) || written.SecretString != "" {
					t.Errorf("answered %s, wrote %q", answered, written.SecretString)
				}
				return
			}
			var pending struct{ URL string }
			if err := json.Unmarshal([]byte(written.SecretString), &pending); err != nil {
				t.Fatalf("answered %s, wrote %q: %v", answered, written.SecretString, err)
			}
			if answered != "response null" || !regexp.MustCompile(test.want).MatchString(pending.URL) {
				t.Errorf("answered %s; the pending url has not the form %s", answered, test.want)
			}
		})
	}
}
