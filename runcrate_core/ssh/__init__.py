"""Commands, files and forwarded ports on a running instance, over SSH.

`commands`, `host_keys`, `remote_paths`, `certificates` and `login` decide; `connection`,
`file_transfer`, `port_forward` and `shell` do. The latter need `asyncssh`, the extra `ssh`, and are
loaded by `client.instances.connect` alone.
"""
