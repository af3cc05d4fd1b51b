#!/bin/sh
# bases.sh DIR imports stand-ins for the base images that the Dockerfiles name, made of this machine's own Debian packages. DIR is for scratch.
set -eu
work=$1
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

import() { # import ROOT IMAGE [--change=INSTRUCTION...]
	root=$1 image=$2
	shift 2
	tar -C "$root" -c . | podman import --quiet "$@" - "$image" >"$work/id"
}

# Debian: its essential packages, apt, and what the build stage runs.
root=$work/debian
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc/apt" "$root/packages" "$root/tmp" \
	"$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
for dir in bin sbin lib lib64; do ln -s usr/$dir "$root/$dir"; done
essential=$(dpkg-query -W -f '${Essential} ${Package}\n' | sed -n 's/^yes //p')
# shellcheck disable=SC2086 # a list
packages=$(apt-cache depends --recurse --installed --important apt make mawk $essential | grep -E '^[a-z0-9]' | sort -u |
	xargs dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^i[iWt] *//p')
# shellcheck disable=SC2086
dpkg-query -L $packages | sed -n 's,^/\(..*\),\1,p' | grep -vE '^usr/share/(doc|man|locale|info|lintian)/' | sort -u >"$work/files"
tar -C / --no-recursion --ignore-failed-read -c -T "$work/files" 2>"$work/missing" | tar -C "$root" --keep-directory-symlink -x
chmod 1777 "$root/tmp"
cp /usr/share/base-passwd/passwd.master "$root/etc/passwd"
cp /usr/share/base-passwd/group.master "$root/etc/group"
# shellcheck disable=SC2086
dpkg-query -s $packages | sed 's/^Status:.*/Status: install ok installed/; /^Triggers-/d' >"$root/var/lib/dpkg/status"
for package in $packages; do cp /var/lib/dpkg/info/"$package"[.:]* "$root/var/lib/dpkg/info/"; done

# What apt-get can install there: tini, packed again from what is installed here.
mkdir -p "$work/tini/DEBIAN"
dpkg-query -s tini | sed '/^Status:/d' >"$work/tini/DEBIAN/control"
install -D /usr/bin/tini "$work/tini/usr/bin/tini"
dpkg-deb --build "$work/tini" "$root/packages/tini.deb" >"$work/deb"
{
	cat "$work/tini/DEBIAN/control"
	printf 'Filename: ./tini.deb\nSize: %s\n' "$(stat -c %s "$root/packages/tini.deb")"
	printf 'SHA256: %s\n' "$(sha256sum "$root/packages/tini.deb" | cut -d ' ' -f 1)"
} >"$root/packages/Packages"
rm -rf "$root/etc/apt/sources.list.d"
echo 'deb [trusted=yes] file:/packages ./' >"$root/etc/apt/sources.list"
import "$root" docker.io/library/debian:12-slim --change="ENV PATH=$path"

# Go itself, its modules and its build cache are mounted by the test.
import "$root" docker.io/library/golang:1.26.8-bookworm --change="ENV PATH=/go/bin:/usr/local/go/bin:$path" \
	--change='ENV GOPATH=/go' --change='ENV GOTOOLCHAIN=local' --change='ENV GOCACHE=/cache'

# Distroless: certificates, time zones, a user.
root=$work/distroless
mkdir -p "$root/etc/ssl/certs" "$root/usr/share" "$root/tmp" "$root/home/nonroot"
chmod 1777 "$root/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -r /usr/share/zoneinfo "$root/usr/share/"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
import "$root" gcr.io/distroless/static-debian12:nonroot --change='USER 65532' --change='WORKDIR /home/nonroot'
