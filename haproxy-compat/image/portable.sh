# Sourced by the scripts beside it: sets `binary` to a haproxy that runs on glibc and musl images.
# HAPROXY_PORTABLE names one that is there already; without it `cargo portable` builds one.
if [ -n "${HAPROXY_PORTABLE-}" ]; then
    binary=$HAPROXY_PORTABLE
else
    binary=$(cd "$here/../.." && cargo portable --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\/haproxy\)".*/\1/p')
fi
