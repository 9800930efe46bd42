package sandboxtest

// A world of three services, and the connect2.yaml that names them: the worker comes after the api.
const (
	Worker  = "connect2-api-worker-dev"
	Mail    = "connect2-api-mail-dev"
	Several = "services: {" + Worker + ": {command: [work]}, " + Mail + ": {}}\n" +
		"service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n"
	SeveralFile = `project: connect2-api
environments: {dev: {region: us-west-2}}
services:
  api: {service: "connect2-api-service-{environment}"}
  worker: {service: "connect2-api-worker-{environment}", after: api}
  mail: {service: "connect2-api-mail-{environment}"}
`
)
