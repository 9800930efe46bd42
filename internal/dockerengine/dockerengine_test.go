package dockerengine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine answers "METHOD /path?query" with a status and a body, and everything else with 500.
type engine struct {
	mu      sync.Mutex
	answers map[string]answer
	calls   []string
}

// answer sets what a call is answered with from now on.
func (e *engine) answer(call string, a answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers[call] = a
}

// called returns the calls so far.
func (e *engine) called() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

type answer struct {
	status int
	body   string
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.RequestURI()
	_, _ = io.Copy(io.Discard, r.Body)
	e.mu.Lock()
	e.calls = append(e.calls, call)
	a, ok := e.answers[call]
	e.mu.Unlock()
	if !ok {
		a = answer{http.StatusInternalServerError, `{"message": "not expected"}`}
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func start(t *testing.T, answers map[string]answer) (*Client, *engine) {
	t.Helper()
	e := &engine{answers: answers}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	c, err := New("tcp://" + strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, e
}

func TestNewReadsDockerHost(t *testing.T) {
	for host, fails := range map[string]string{
		"": "", "unix:///run/docker.sock": "", "tcp://127.0.0.1:2375": "", "http://127.0.0.1:2375": "",
		"ssh://host": "only unix:// and tcp://", "/run/docker.sock": "only unix:// and tcp://", "tcp://%zz": "the Docker engine's address",
	} {
		if _, err := New(host); (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("%q: %v, want %q", host, err, fails)
		}
	}
}

func TestASocketIsSpokenTo(t *testing.T) {
	folder, err := os.MkdirTemp("", "engine") // t.TempDir's is too long for a socket's path on some systems
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{answers: map[string]answer{"GET /_ping": {http.StatusOK, "OK"}}}
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	c, err := New("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	gone, err := New("unix://" + socket + ".not")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Ping(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "does not answer: dial unix") {
		t.Errorf("got %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		answer  answer
		want    string
		missing bool
	}{
		"the engine's words":    {answer{http.StatusConflict, `{"message": "it is in use"}`}, "it is in use", false},
		"missing":               {answer{http.StatusNotFound, `{"message": "No such container: x"}`}, "No such container: x", true},
		"a proxy's page":        {answer{http.StatusBadGateway, "<html>\n"}, "502 Bad Gateway: <html>", false},
		"JSON of another kind":  {answer{http.StatusForbidden, `{"error": "no"}`}, `403 Forbidden: {"error": "no"}`, false},
		"a redirect to nowhere": {answer{http.StatusMultipleChoices, ""}, "300 Multiple Choices: ", false},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := start(t, map[string]answer{"POST /containers/x/start": test.answer})
			err := c.Start(t.Context(), "x")
			if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != test.answer.status || err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if IsMissing(err) != test.missing {
				t.Errorf("missing: %v", !test.missing)
			}
		})
	}
}

func TestContainersLife(t *testing.T) {
	c, e := start(t, map[string]answer{
		"POST /containers/create?name=x":                          {http.StatusCreated, `{"Id": "1"}`},
		"POST /containers/x/start":                                {http.StatusNotModified, ""}, // it runs already
		"GET /containers/x/logs?follow=1&stderr=1&stdout=1":       {http.StatusOK, "frames"},
		"POST /containers/x/stop?t=3":                             {http.StatusNoContent, ""},
		"POST /containers/x/wait":                                 {http.StatusOK, `{"StatusCode": 137}`},
		"GET /containers/x/json":                                  {http.StatusOK, `{"State": {"ExitCode": 137, "OOMKilled": true}}`},
		"DELETE /containers/x?force=1&v=1":                        {http.StatusNotFound, `{"message": "No such container: x"}`},
		"DELETE /images/y?force=1":                                {http.StatusNotFound, `{"message": "No such image: y"}`},
		"DELETE /containers/stuck?force=1&v=1":                    {http.StatusConflict, `{"message": "removal in progress"}`},
		"POST /containers/create?name=twice":                      {http.StatusConflict, `{"message": "the name is taken"}`},
		"POST /containers/lost/wait":                              {http.StatusOK, `{}`},
		"GET /containers/lost/json":                               {http.StatusOK, `cut o`},
		"GET /containers/missing/logs?follow=1&stderr=1&stdout=1": {http.StatusNotFound, `{"message": "No such container"}`},
	})
	ctx := t.Context()
	for name, err := range map[string]error{
		"create": c.Create(ctx, "x", map[string]any{"Image": "y"}), "start": c.Start(ctx, "x"), "stop": c.Stop(ctx, "x", 3*time.Second),
		"remove what is gone": c.RemoveContainer(ctx, "x"), "remove an image that is gone": c.RemoveImage(ctx, "y"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if end, err := c.Wait(ctx, "x"); err != nil || end != (End{137, true}) {
		t.Errorf("ended with %+v, %v", end, err)
	}
	body, err := c.Logs(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "frames" {
		t.Errorf("logs %q, %v", text, err)
	}
	for name, err := range map[string]error{
		"taken": c.Create(ctx, "twice", nil), "stuck": c.RemoveContainer(ctx, "stuck"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := c.Wait(ctx, "lost"); err == nil || !strings.Contains(err.Error(), "reading what the Docker engine says") {
		t.Errorf("an answer that is cut off: %v", err)
	}
	if _, err := c.Logs(ctx, "missing"); !IsMissing(err) {
		t.Errorf("got %v", err)
	}
	if i := slices.IndexFunc(e.called(), func(call string) bool { return strings.HasSuffix(call, "?") }); i >= 0 {
		t.Errorf("%s has an empty query", e.called()[i])
	}
}

func TestImages(t *testing.T) {
	c, e := start(t, map[string]answer{
		"GET /images/app:v1/json":   {http.StatusOK, "{}"},
		"GET /images/app:v1/get":    {http.StatusOK, "archive"},
		"GET /images/app:v2/json":   {http.StatusNotFound, `{"message": "No such image: app:v2"}`},
		"GET /images/app:v2/get":    {http.StatusOK, "an archive that breaks off"},
		"POST /images/load?quiet=1": {http.StatusOK, `{"stream": "Loaded"} {"error": "no space left on device"}`},
	})
	body, err := c.Save(t.Context(), "app:v1")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "archive" {
		t.Errorf("saved %q, %v", text, err)
	}
	if _, err := c.Save(t.Context(), "app:v2"); !IsMissing(err) {
		t.Errorf("an image that is not there: %v", err)
	}
	if slices.Contains(e.called(), "GET /images/app:v2/get") {
		t.Error("the export of an image that is not there was asked for")
	}
	write := func(w io.Writer) error { _, err := io.WriteString(w, "archive"); return err }
	if err := c.Load(t.Context(), write); err == nil || err.Error() != "no space left on device" {
		t.Errorf("a failure after the status: %v", err)
	}
	broken := errors.New("the disk broke")
	if err := c.Load(t.Context(), func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("an archive that cannot be written: %v", err)
	}
	e.answer("POST /images/load?quiet=1", answer{http.StatusOK, `{"stream": "Loaded"}`})
	if err := c.Load(t.Context(), write); err != nil {
		t.Error(err)
	}
}

func TestCallsEndWithTheContext(t *testing.T) {
	c, _ := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Start(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
