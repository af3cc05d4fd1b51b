// Package images holds the tests that build and run the images, ours and those of
// the examples, with podman as Debian 12 has it. Nothing comes from a registry and
// nothing of this machine's podman is touched: the storage is a temporary one, and
// the base images are stand-ins under the names that the Dockerfiles use.
package images
