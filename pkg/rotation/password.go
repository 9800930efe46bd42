package rotation

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// newPassword returns 40 letters and digits, about 238 bits, which stand in a URL as they are.
func newPassword() (string, error) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	const wanted = 40
	out := make([]byte, 0, wanted)
	buffer := make([]byte, 64)
	for len(out) < wanted {
		if _, err := rand.Read(buffer); err != nil {
			return "", err
		}
		for _, b := range buffer {
			// The bytes above the last multiple of 62 would make the first letters likelier.
			if int(b) < 256/len(alphabet)*len(alphabet) && len(out) < wanted {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}

// verifier returns what PostgreSQL stores for a password under SCRAM-SHA-256 (RFC 5803 as PostgreSQL writes it). ALTER ROLE
// takes it in the password's place, so that the password itself is in no statement and in no log of the server.
// The password must be ASCII: SASLprep is not applied.
func verifier(password string) (string, error) {
	const iterations = 4096 // PostgreSQL's default
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	client := sha256.Sum256(mac(salted, "Client Key"))
	server := mac(salted, "Server Key")
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(client[:]), encode(server)), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
