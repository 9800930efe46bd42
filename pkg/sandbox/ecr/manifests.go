package ecr

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) serveManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	var img *image
	err := s.with(rt, func(repo *repository) error {
		var failure *failure
		if img, failure = repo.lookup(idOf(rt.reference)); failure != nil {
			return s.imageNotFound(repo, "", rt.reference)
		}
		if r.HTTP.Method == http.MethodGet && r.Now.Sub(img.pulledAt) >= 24*time.Hour {
			img.pulledAt = r.Now
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", img.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(img.manifest)))
	if r.HTTP.Method == http.MethodHead {
		w.Header().Set("Docker-Content-Digest", img.digest) // ECR leaves it out of GET answers
		w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err = w.Write(img.manifest)
	return err
}

func idOf(reference string) imageID {
	if isDigest(reference) {
		return imageID{ImageDigest: reference}
	}
	return imageID{ImageTag: reference}
}

func (s *Service) acceptManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	manifest, err := io.ReadAll(io.LimitReader(r.HTTP.Body, maxManifest+1))
	if err != nil {
		return err
	}
	return s.with(rt, func(repo *repository) error {
		id := idOf(rt.reference)
		img, err := s.parse(repo, manifest, r.HTTP.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		if id.ImageDigest != "" && id.ImageDigest != img.digest {
			return &wire.Error{Code: "DIGEST_INVALID", Message: "provided digest did not match uploaded content"} // wording unconfirmed
		}
		img, err = s.put(repo, manifest, r.HTTP.Header.Get("Content-Type"), id.ImageTag, r.Now)
		if refusal, ok := errors.AsType[*wire.Error](err); ok && refusal.Code == "ImageAlreadyExistsException" {
			err = nil // pushing the same again is success at the registry
		}
		if err != nil {
			return err
		}
		w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/manifests/"+img.digest)
		w.Header().Set("Docker-Content-Digest", img.digest)
		if img.subject != "" {
			w.Header().Set("OCI-Subject", img.subject)
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	})
}

func (s *Service) deleteManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		if _, failure := repo.remove(idOf(rt.reference)); failure != nil {
			if failure.FailureCode == "ImageReferencedByManifestList" {
				return &wire.Error{Code: "DENIED", Message: failure.FailureReason, Status: 403} // status and code unconfirmed
			}
			return s.imageNotFound(repo, "", rt.reference)
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	})
}

func (s *Service) listReferrers(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		manifests := []any{}
		for _, img := range repo.inOrder() {
			if img.subject == rt.reference {
				manifests = append(manifests, map[string]any{
					"mediaType": img.mediaType, "digest": img.digest, "size": len(img.manifest), "artifactType": img.artifactType,
				})
			}
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		return json.NewEncoder(w).Encode(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
		})
	})
}
