"""Recordings of what a watcher saw of a cluster: reading them as changes, writing them from a live one.

A recording is JSON lines, plain or gzip. The first is a header: `{"recording": 1, "started": T, "ended": T or null}`.
Every other line has `at` (RFC 3339, when it was learnt) and `type`:

    LISTING, ITEM, LISTED      resource; object        a list begins, one object of it, it is complete
    ADDED, MODIFIED, DELETED   resource, object        a watch event
    BOOKMARK                   resource                the stream is alive
    ERROR, DISCONNECTED        resource; object        the stream broke; a LISTING or more events follow. An ERROR
                               whose object is a Status of 401, 403 or 404: it is refused, or not there
    PROBE                      probe, connection, status, seconds, error
                               `at` is when it was sent; learnt at `at` + `seconds`; status 0 where no answer came
    MARK                       text                    a note of whoever ran the cluster

`resource` is `plural.group`, the core group without a dot. Other types and fields are ignored.
"""
