package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// S3State is where a state in S3 is.
type S3State struct {
	Bucket, Key, Region string
	Locked              bool // use_lockfile: the lock is the object Key + ".tflock"
}

// LockKey is the object that is there while somebody holds the state.
func (s S3State) LockKey() string { return s.Key + ".tflock" }

// S3StateOf reads from the data folder, which init has written, where the state of a workspace is. ok is false where another
// kind of backend holds it.
func S3StateOf(dataDir, workspace string) (s S3State, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "terraform.tfstate"))
	if errors.Is(err, fs.ErrNotExist) { // no backend block: the state is a local file
		return s, false, nil
	} else if err != nil {
		return s, false, err
	}
	var data struct {
		Backend struct {
			Type   string
			Config struct {
				Bucket, Key, Region string
				Prefix              string `json:"workspace_key_prefix"`
				UseLockfile         bool   `json:"use_lockfile"`
			}
		}
	}
	if err := json.Unmarshal(text, &data); err != nil {
		return s, false, fmt.Errorf("what init wrote about the backend: %w", err)
	}
	c := data.Backend.Config
	if data.Backend.Type != "s3" || c.Bucket == "" {
		return s, false, nil
	}
	s = S3State{Bucket: c.Bucket, Key: c.Key, Region: c.Region, Locked: c.UseLockfile}
	if workspace != "" && workspace != "default" {
		prefix := c.Prefix
		if prefix == "" {
			prefix = "env:"
		}
		s.Key = strings.TrimSuffix(prefix, "/") + "/" + workspace + "/" + strings.TrimPrefix(c.Key, "/")
	}
	return s, true, nil
}

var (
	s3Backend    = regexp.MustCompile(`(?ms)^\s*backend\s+"s3"\s*\{(.*?)^?\s*\}`)
	bucketOfS3   = regexp.MustCompile(`(?m)^\s*bucket\s*=\s*"([^"$%]+)"`)
	hclLineNotes = regexp.MustCompile(`(?m)^\s*(#|//).*$`)
)

// BucketOf returns the bucket that the backend "s3" of a root module names, or "" where there is none, or it does not say so as a plain
// text. The folder need not exist.
func BucketOf(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return "", fmt.Errorf("looking for the backend in %s: %w", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("looking for the backend: %w", err)
		}
		block := s3Backend.FindSubmatch(hclLineNotes.ReplaceAll(text, nil))
		if block == nil {
			continue
		}
		if name := bucketOfS3.FindSubmatch(block[1]); name != nil {
			return string(name[1]), nil
		}
	}
	return "", nil
}

// ParseLock reads the lock object itself.
func ParseLock(text []byte) (Lock, error) {
	var l Lock
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("the lock is not valid JSON: %w", err)
	}
	if l.ID == "" {
		return l, errors.New("the lock has no ID")
	}
	return l, nil
}
