//go:build !race

package awsconn

const raceDetector = false
