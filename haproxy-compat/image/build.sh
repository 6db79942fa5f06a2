#!/bin/sh
# Builds the static binary and an image around it: build.sh [TAG [BASE]].
# BASE is any Debian or Alpine image; the default is what haproxy:2.3 stands on.
set -eu
tag=${1:-haproxy-rs:2.3}
base=${2:-debian:bullseye-slim}
here=$(cd "$(dirname "$0")" && pwd)

. "$here/portable.sh"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$binary" "$context/haproxy"
cp -r "$here/Dockerfile" "$here/docker-entrypoint.sh" "$here/errors" "$context"
docker build --build-arg "BASE=$base" --tag "$tag" "$context"
