// Package kubernetes holds the tests on a real Kubernetes: API server, kubelet,
// containerd, with Istio's own agent, redirect and injection. Only Envoy itself is
// a stand-in, and so are the images of third parties that the examples name.
//
// The modules cluster and istio below this directory name the programs and their
// versions; make builds them into bin/kubernetes. The cluster has namespaces of its
// own for processes, mounts and network, and ends with the tests. With
// E2E_CLUSTER=external the tests use the cluster that KUBECONFIG names instead.
package kubernetes
