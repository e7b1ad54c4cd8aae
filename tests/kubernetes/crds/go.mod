module crds

go 1.24.0

// Only files of these modules are used: definitions of kinds, and the schema of compose files.
require (
	github.com/compose-spec/compose-go/v2 v2.16.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.3.0
)
