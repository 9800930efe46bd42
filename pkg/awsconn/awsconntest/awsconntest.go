// Package awsconntest gives tests the environment in which awsconn.Connect finds credentials that are none.
package awsconntest

import "maps"

// Account and Region are those that the variables of [Env] and the stand-in start with.
const (
	Account = "123456789012"
	Region  = "us-west-2"
)

// Env returns variables for an action.Env whose Transport is a stand-in: a region and AWS's own example keys, together with
// those given, which win.
func Env(more map[string]string) map[string]string {
	variables := map[string]string{
		"AWS_REGION":            Region,
		"AWS_ACCESS_KEY_ID":     "AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	}
	maps.Copy(variables, more)
	return variables
}
