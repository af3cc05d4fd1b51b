// Package pods holds the tests that run images, Pods and the examples for real,
// with podman as Debian 12 has it. Nothing comes from a registry and nothing of
// this machine's podman is touched: the storage is a temporary one, and the base
// images are stand-ins under the names that the Dockerfiles and manifests use.
package pods
