// Package awserr tells what an error of AWS means and what to do about it: which permission is missing, whose credentials ended,
// what passes by itself. It knows no service client, and works on typed errors of the SDK and on text alike.
package awserr
