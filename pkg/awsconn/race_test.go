//go:build race

package awsconn

const raceDetector = true
