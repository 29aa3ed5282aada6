"""Kubernetes-API-compatible server of the one-machine platform (`python -m cli.local.apiserver`).

It serves what the services, kubectl and the process kubelet need, in one process with one writer. Layers, lowest first:
`errors`, `fielderrors`, `store`, `history` know nothing of HTTP; `schema`, `patch`, `selectors`, `table` are pure
functions; `verbs_*` put them together per verb; `app` speaks ASGI. docs/apiserver.md lists what differs from a real API
server.
"""
