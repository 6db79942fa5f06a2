#!/bin/sh
# Puts this project's binary into an existing image in the place of its haproxy:
#     replace.sh IMAGE [NEW_TAG]        (default for NEW_TAG: IMAGE itself)
# Entrypoint, command, files and labels stay the image's own.
set -eu
image=${1:?usage: replace.sh IMAGE [NEW_TAG]}
tag=${2:-$image}
here=$(cd "$(dirname "$0")" && pwd)

. "$here/portable.sh"
place=$(docker run --rm --entrypoint sh "$image" -c 'command -v haproxy')
container=$(docker create "$image")
trap 'docker rm --force "$container" > /dev/null' EXIT
docker cp "$binary" "$container:$place"
docker commit "$container" "$tag"
