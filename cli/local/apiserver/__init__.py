"""Kubernetes-API-compatible server of the one-machine platform (`python -m cli.local.apiserver`).

It serves what the services, kubectl and the process kubelet need, in one process with one writer. Layers, lowest first:
`errors`, `fielderrors`, `store` and `history` know nothing of HTTP; `schema`, `coerce`, `validation`, `patch`,
`strategic`, `apply`, `selectors` and `table` are functions of their arguments; `writes`, `deletion`, `reads`,
`patching` and `watch` put them together for each verb; `handlers` and `app` speak HTTP.

docs/reference/api-differences.md lists what differs from a real API server, docs/decisions/apiserver-store.md says how
objects are kept.
"""
