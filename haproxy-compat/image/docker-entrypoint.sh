#!/bin/sh
# The container's command line: options alone are haproxy's, and haproxy runs as master and worker
# in the foreground. Anything else is run as it stands.
set -e

case "${1-}" in
    -*) set -- haproxy "$@" ;;
esac

if [ "${1-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi

exec "$@"
