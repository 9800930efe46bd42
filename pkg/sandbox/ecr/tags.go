package ecr

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// listTags pages through the tags: 100 at a time by default, with the next page in a Link header.
func (s *Service) listTags(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		var tags []string
		for tag := range repo.imageTags {
			tags = append(tags, tag)
		}
		return writeNames(w, r, "tags", tags, map[string]any{"name": repo.name})
	})
}

func (s *Service) listCatalog(w http.ResponseWriter, r *wire.Request, _ route) error {
	s.options.Server.World.Lock()
	defer s.options.Server.World.Unlock()
	return writeNames(w, r, "repositories", s.Repositories(), map[string]any{})
}

func writeNames(w http.ResponseWriter, r *wire.Request, key string, names []string, body map[string]any) error {
	query := r.HTTP.URL.Query()
	size := 100
	if n := query.Get("n"); n != "" {
		var err error
		if size, err = strconv.Atoi(n); err != nil || size < 1 || size > 1000 {
			return invalid("maxResults", "Member must have value less than or equal to 1000")
		}
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, query.Get("last"))
	if found {
		start++
	}
	names = names[start:]
	if len(names) > size {
		names = names[:size]
		next := url.Values{"n": {strconv.Itoa(size)}, "last": {names[size-1]}}
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.HTTP.URL.Path, next.Encode()))
	}
	body[key] = append([]string{}, names...)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return json.NewEncoder(w).Encode(body)
}
