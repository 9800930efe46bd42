// Package wire speaks the protocols of the AWS APIs for the sandbox: AWS JSON 1.0 and 1.1, AWS query with XML answers,
// the error envelopes of both, request identities, authorisation and the journal of calls.
//
// A service is a table of operations (JSONService, QueryService). The Server finds the operation that an HTTP request
// asks for, says who calls, injects the faults that were ordered, runs the operation with the world locked, and writes
// the answer and one journal entry. Signatures are not verified: the access key in the credential scope alone decides
// who the caller is, since the sandbox protects nothing.
//
// Protocol sources: the Smithy specifications "AWS JSON 1.0/1.1 protocol" and "AWS query protocol", and the service
// models that the AWS SDKs publish.
package wire
