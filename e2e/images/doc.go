// Package images builds and runs our images and those of the examples, with the podman of
// Debian 12. It needs no registry: the base images are stand-ins under the names that the
// Dockerfiles use. The storage is a temporary one, beside this machine's own podman.
package images
