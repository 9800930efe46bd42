package ecr

import (
	"bytes"
	"net/url"
	"slices"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) batchCheckLayerAvailability(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		LayerDigests   []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	layers, failures := []any{}, []any{}
	for _, digest := range in.LayerDigests {
		size, ok := repo.layers[digest]
		switch {
		case !isDigest(digest):
			failures = append(failures, map[string]any{"layerDigest": digest, "failureCode": "InvalidLayerDigest",
				// wording unconfirmed
				"failureReason": "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"})
		case ok:
			layers = append(layers, map[string]any{"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size})
		default:
			layers = append(layers, map[string]any{"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
		}
	}
	return map[string]any{"layers": layers, "failures": failures}, nil
}

func (s *Service) getDownloadURLForLayer(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		LayerDigest    string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if _, ok := repo.layers[in.LayerDigest]; !ok {
		return nil, s.layerNotFound(repo, in.LayerDigest)
	}
	return map[string]any{"layerDigest": in.LayerDigest, "downloadUrl": downloadURL(r, in.LayerDigest)}, nil
}

func (s *Service) layerNotFound(repo *repository, digest string) *wire.Error {
	return wire.Errorf("LayersNotFoundException",
		"The layer with digest %s does not exist within the repository with name '%s' in the registry with id '%s'",
		digest, repo.name, s.options.Account)
}

// DownloadPath is where layers are fetched from. ECR hands out presigned URLs of a bucket on another host; here it is
// another path of the same one.
const DownloadPath = "/_sandbox/layers/"

func downloadURL(r *wire.Request, digest string) string {
	return schemeOf(r.HTTP) + "://" + r.Host + DownloadPath + url.PathEscape(digest) + "?X-Amz-Expires=3600"
}

func (s *Service) initiateLayerUpload(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id, err := s.startUpload(repo.name)
	if err != nil {
		return nil, err
	}
	return map[string]any{"uploadId": id, "partSize": 10 << 20}, nil
}

func (s *Service) uploadOf(repo *repository, id string) (*upload, error) {
	if u := s.uploads[id]; u != nil && u.repository == repo.name {
		return u, nil
	}
	return nil, wire.Errorf("UploadNotFoundException",
		"The upload with id '%s' does not exist within the repository with name '%s' in the registry with id '%s'",
		id, repo.name, s.options.Account) // wording unconfirmed
}

func (s *Service) uploadLayerPart(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                  string
		RepositoryName, UploadID    string
		PartFirstByte, PartLastByte int64
		LayerPartBlob               []byte
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	u, err := s.uploadOf(repo, in.UploadID)
	if err != nil {
		return nil, err
	}
	if in.PartFirstByte != u.size || in.PartLastByte != in.PartFirstByte+int64(len(in.LayerPartBlob))-1 {
		return nil, wire.Errorf("InvalidLayerPartException", "First byte of the layer part is %d instead of %d", in.PartFirstByte, u.size).
			WithField("lastValidByteReceived", u.size-1)
	}
	if err := u.write(bytes.NewReader(in.LayerPartBlob)); err != nil {
		return nil, err
	}
	return map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "uploadId": in.UploadID, "lastByteReceived": u.size - 1,
	}, nil
}

func (s *Service) completeLayerUpload(r *wire.Request) (any, error) {
	var in struct {
		RegistryID               string
		RepositoryName, UploadID string
		LayerDigests             []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	u, err := s.uploadOf(repo, in.UploadID)
	if err != nil {
		return nil, err
	}
	digest := u.digest()
	switch {
	case u.size == 0:
		// wording unconfirmed
		return nil, wire.Errorf("EmptyUploadException", "The layer upload with id '%s' contains no layer parts", in.UploadID)
	case !slices.Contains(in.LayerDigests, digest):
		return nil, wire.Errorf("InvalidLayerException", "None of the provided layer digests match the calculated layer digest")
	}
	if _, exists := repo.layers[digest]; exists {
		return nil, wire.Errorf("LayerAlreadyExistsException",
			"Layer with digest '%s' already exists in the repository with name '%s' in registry with id '%s'",
			digest, repo.name, s.options.Account) // wording unconfirmed
	}
	delete(s.uploads, in.UploadID)
	if err := s.finish(u, digest); err != nil {
		return nil, err
	}
	repo.layers[digest] = u.size
	return map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "uploadId": in.UploadID, "layerDigest": digest,
	}, nil
}
