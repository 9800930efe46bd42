package s3

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// buckets holds what the fake does not: whose a bucket is, and its settings as the documents that were put.
type buckets struct {
	mu       sync.Mutex
	foreign  map[string]bool              // buckets of other accounts
	settings map[string]map[string][]byte // by bucket and the name in the query; an empty document is none
}

// setting is a part of a bucket that a request names in its query.
type setting struct {
	absent, told string // the error where there is none
	status       int    // of a PUT
	initial      string // what S3 gives a bucket by itself
}

// Since 2023 S3 encrypts new buckets with its own keys and blocks public access to them.
var settings = map[string]setting{
	"encryption": {"ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found", http.StatusOK,
		`<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`},
	"publicAccessBlock": {"NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", http.StatusOK,
		`<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`},
	"policy":    {"NoSuchBucketPolicy", "The bucket policy does not exist", http.StatusNoContent, ""},
	"lifecycle": {"NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", http.StatusOK, ""},
}

// CreateForeignBucket makes a bucket of another account, which this account's callers may not touch.
func (s *Service) CreateForeignBucket(name string) error {
	s.buckets.mu.Lock()
	defer s.buckets.mu.Unlock()
	if s.buckets.foreign == nil {
		s.buckets.foreign = map[string]bool{}
	}
	s.buckets.foreign[name] = true
	return s.backend.CreateBucket(name)
}

// serveBucket answers what the fake does not know of buckets, and says whether it has answered.
func (s *Service) serveBucket(w http.ResponseWriter, r *http.Request) bool {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket == "" {
		return false
	}
	s.buckets.mu.Lock()
	defer s.buckets.mu.Unlock()
	exists, err := s.backend.BucketExists(bucket)
	if err != nil || !exists {
		return false // the fake makes it, or says that there is none
	}
	if making := r.Method == http.MethodPut && key == "" && r.URL.RawQuery == ""; making {
		if s.buckets.foreign[bucket] {
			refuse(w, r, http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared "+
				"by all users of the system.")
		} else {
			refuse(w, r, http.StatusConflict, "BucketAlreadyOwnedByYou",
				"Your previous request to create the named bucket succeeded and you already own it.")
		}
		return true
	}
	expected := r.Header.Get("X-Amz-Expected-Bucket-Owner")
	if s.buckets.foreign[bucket] || expected != "" && s.account != "" && expected != s.account {
		refuse(w, r, http.StatusForbidden, "AccessDenied", "Access Denied")
		return true
	}
	if key != "" {
		return false
	}
	for name, kind := range settings {
		if r.URL.Query().Has(name) {
			s.serveSetting(w, r, bucket, name, kind)
			return true
		}
	}
	return false
}

func (s *Service) serveSetting(w http.ResponseWriter, r *http.Request, bucket, name string, kind setting) {
	document, put := s.buckets.settings[bucket][name]
	if !put {
		document = []byte(kind.initial)
	}
	keep := func(document []byte) {
		if s.buckets.settings == nil {
			s.buckets.settings = map[string]map[string][]byte{}
		}
		if s.buckets.settings[bucket] == nil {
			s.buckets.settings[bucket] = map[string][]byte{}
		}
		s.buckets.settings[bucket][name] = document
	}
	switch r.Method {
	case http.MethodGet:
		if len(document) == 0 {
			refuse(w, r, http.StatusNotFound, kind.absent, kind.told)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		if name == "policy" {
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = w.Write(document) // a client that has gone is told nothing
	case http.MethodPut:
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			refuse(w, r, http.StatusBadRequest, "IncompleteBody", err.Error())
		case name == "policy" && !json.Valid(body):
			refuse(w, r, http.StatusBadRequest, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
		case name != "policy" && !isXML(body):
			refuse(w, r, http.StatusBadRequest, "MalformedXML",
				"The XML you provided was not well-formed or did not validate against our published schema")
		default:
			keep(body)
			w.WriteHeader(kind.status)
		}
	case http.MethodDelete:
		keep(nil)
		if name == "encryption" { // S3 goes back to its own keys
			keep([]byte(kind.initial))
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, r, http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
}

func isXML(body []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(body))
	elements := 0
	for {
		token, err := d.Token()
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
		if err != nil {
			return errors.Is(err, io.EOF) && elements > 0
		}
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
}
