package tfapply

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/terraform"
)

// sealedFile is a plan on its way from the job that plans to the job that applies.
type sealedFile struct {
	Format string `json:"format"`         // sealedFormat
	Salt   []byte `json:"salt,omitempty"` // of argon2id, for a passphrase
	Key    []byte `json:"key,omitempty"`  // the data key, encrypted by KMS
	Nonce  []byte `json:"nonce"`
	Text   []byte `json:"text"` // XChaCha20-Poly1305 of a content
}

const sealedFormat = "connect2 sealed plan 1"

// content is what is sealed. It is what a plan is compared with, not a plan that could be applied.
type content struct {
	Digest   string   `json:"digest"`
	Lines    []string `json:"lines"`
	LockFile []byte   `json:"lockFile,omitempty"`
}

// isKMSKey says whether plan-key names a key of KMS rather than being a passphrase.
func isKMSKey(key string) bool {
	return strings.HasPrefix(key, "alias/") || strings.HasPrefix(key, "arn:") && strings.Contains(key, ":kms:")
}

// keys are the calls of KMS that sealing makes.
type keys interface {
	// generate makes a data key of 32 bytes, as it is and encrypted.
	generate(ctx context.Context, key string, about map[string]string) (plain, sealed []byte, err error)
	decrypt(ctx context.Context, key string, sealed []byte, about map[string]string) (plain []byte, err error)
}

// kmsKeys are those of KMS.
type kmsKeys struct{ config aws.Config }

// dataKey is what the calls are told, and what they answer.
type dataKey struct {
	KeyId             string            `json:",omitempty"`
	KeySpec           string            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	Plaintext         []byte            `json:",omitempty"`
}

func (k kmsKeys) generate(ctx context.Context, key string, about map[string]string) (plain, sealed []byte, err error) {
	var made dataKey
	err = awscall.JSON(ctx, k.config, awscall.KMS, "GenerateDataKey", dataKey{KeyId: key, KeySpec: "AES_256", EncryptionContext: about}, &made)
	return made.Plaintext, made.CiphertextBlob, err
}

func (k kmsKeys) decrypt(ctx context.Context, key string, sealed []byte, about map[string]string) ([]byte, error) {
	var opened dataKey
	err := awscall.JSON(ctx, k.config, awscall.KMS, "Decrypt", dataKey{KeyId: key, CiphertextBlob: sealed, EncryptionContext: about}, &opened)
	return opened.Plaintext, err
}

// vault seals and opens.
type vault struct {
	key     string            // the input plan-key
	kms     keys              // nil for a passphrase
	context map[string]string // what the seal is bound to: another directory's plan does not open
}

func (v vault) bound() []byte {
	text, _ := json.Marshal(v.context) // strings alone: it always marshals, in one order
	return append([]byte(sealedFormat), text...)
}

// stretch makes a key of a passphrase: argon2id with the second of RFC 9106's recommended parameters.
func stretch(passphrase string, salt []byte) []byte {
	return argon2.IDKey([]byte(passphrase), salt, 3, 64<<10, 4, chacha20poly1305.KeySize)
}

func (v vault) seal(ctx context.Context, text []byte) ([]byte, error) {
	f := sealedFile{Format: sealedFormat, Nonce: make([]byte, chacha20poly1305.NonceSizeX)}
	var key []byte
	if v.kms == nil {
		f.Salt = make([]byte, 16)
		rand.Read(f.Salt)
		key = stretch(v.key, f.Salt)
	} else {
		var err error
		if key, f.Key, err = v.kms.generate(ctx, v.key, v.context); err != nil {
			return nil, fmt.Errorf("a data key of %s: %w", v.key, awserr.Explain(err))
		}
	}
	rand.Read(f.Nonce)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	f.Text = aead.Seal(nil, f.Nonce, text, v.bound())
	return json.Marshal(f)
}

var errSeal = errors.New("the seal does not open: the key is another one, or the file was changed or belongs to another configuration")

func (v vault) open(ctx context.Context, file []byte) ([]byte, error) {
	var f sealedFile
	if err := json.Unmarshal(file, &f); err != nil || f.Format != sealedFormat || len(f.Nonce) != chacha20poly1305.NonceSizeX {
		return nil, errors.New("it is not a sealed plan of this version")
	}
	var key []byte
	switch {
	case v.kms == nil && len(f.Salt) == 0:
		return nil, errors.New("it was sealed with a KMS key, and plan-key is a passphrase")
	case v.kms == nil:
		key = stretch(v.key, f.Salt)
	case len(f.Key) == 0:
		return nil, errors.New("it was sealed with a passphrase, and plan-key is a KMS key")
	default:
		// The key is named, so that a file of somebody else's key is refused rather than opened.
		var err error
		if key, err = v.kms.decrypt(ctx, v.key, f.Key, v.context); err != nil {
			return nil, fmt.Errorf("the data key of %s: %w", v.key, awserr.Explain(err))
		}
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, errSeal
	}
	text, err := aead.Open(nil, f.Nonce, f.Text, v.bound())
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}

func (s *session) vault() vault {
	v := vault{key: s.in.PlanKey, context: map[string]string{
		"repository": s.env.GitHub.Repository, "directory": s.place(), "environment": s.in.Environment,
	}}
	for name, value := range v.context { // KMS takes no empty values
		if value == "" {
			delete(v.context, name)
		}
	}
	if isKMSKey(s.in.PlanKey) {
		v.kms = kmsKeys{s.conn.Config}
	}
	return v
}

// seal writes the plan file.
func (s *session) seal(ctx context.Context, p *planned) error {
	c := content{Digest: p.digest.String(), Lines: planLines(p.review)}
	if !s.had {
		c.LockFile, _ = os.ReadFile(filepath.Join(s.dir, terraform.LockFile)) // a configuration without providers has none
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sealed, err := s.vault().seal(ctx, text)
	if err == nil {
		err = os.WriteFile(s.in.PlanFile, sealed, 0o644)
	}
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "The plan file was not written", Err: err}
	}
	s.giveBack(mustAbs(s.in.PlanFile))
	s.env.Events.Notef("the sealed plan is in %s", s.in.PlanFile)
	return nil
}

func mustAbs(name string) string {
	if at, err := filepath.Abs(name); err == nil {
		return at
	}
	return name
}

// unseal reads the plan file.
func (s *session) unseal(ctx context.Context) (*reviewedPlan, error) {
	c, err := s.readSealed(ctx)
	if err != nil {
		return nil, &action.Error{Outcome: action.Invalid, Title: "The plan file cannot be opened",
			Err: fmt.Errorf("plan-file %s: %w", s.in.PlanFile, err)}
	}
	digest, err := terraform.ParseDigest(c.Digest)
	if err != nil {
		return nil, action.Invalidf("plan-file %s: %w", s.in.PlanFile, err)
	}
	return &reviewedPlan{digest: digest, from: "plan-file " + s.in.PlanFile, lines: c.Lines}, nil
}

func (s *session) readSealed(ctx context.Context) (content, error) {
	var c content
	file, err := os.ReadFile(s.in.PlanFile)
	if err != nil {
		return c, err
	}
	text, err := s.vault().open(ctx, file)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// restoreLockFile puts the lock file that the planning job's init made where this checkout has none, so that both use the
// same providers.
func (s *session) restoreLockFile(ctx context.Context) error {
	if s.in.Mode != Apply || s.in.PlanFile == "" || s.had {
		return nil
	}
	c, err := s.readSealed(ctx)
	if err != nil || len(c.LockFile) == 0 {
		return nil //nolint:nilerr // unseal tells why
	}
	file := filepath.Join(s.dir, terraform.LockFile)
	if err := os.WriteFile(file, c.LockFile, 0o644); err != nil {
		return action.Invalidf("the lock file of the reviewed plan: %w", err)
	}
	s.giveBack(file)
	return nil
}
