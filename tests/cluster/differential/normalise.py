"""Makes the answers of two API servers comparable: what each chooses freely (uids, times, versions) becomes a token."""

import re
from typing import Any

from tests.cluster.api import Answer, Object

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
AGE = re.compile(r"^\d+[smhdy](\d+[smhd])?$|^<unknown>$")
ADDRESS = re.compile(r"^10\.96\.\d+\.\d+$")  # from the real server's Service range


class Normaliser:
    """Rewrites one server's answers; equal behaviour gives equal results on both, in the same order of requests."""

    def __init__(self, scope: str) -> None:
        """`scope`: objects of a list that are neither in this namespace nor named with it are somebody else's."""
        self._scope = scope
        self._uids: dict[str, str] = {}  # uid -> its token, which counts the objects that had the name
        self._holders: dict[str, int] = {}
        self._versions: dict[str, list[str]] = {}
        self._generated: dict[str, str] = {}

    def answer(self, answer: Answer) -> Object:
        """Returns status, reason, and the object or the machine-readable part of the error."""
        body = answer.body
        if body.get("kind") == "Status":
            return {"code": answer.status, **self._status(body)}
        if body.get("kind") == "Table":
            return {"code": answer.status, "table": self._table(body)}
        if isinstance(body.get("items"), list):
            return {"code": answer.status, "list": self._list(body)}
        if "text" in body:
            return {"code": answer.status, "text": "text"}
        return {"code": answer.status, "object": self.object(body)}

    def event(self, event: Object) -> Object:
        body = event["object"]
        shown = self._status(body) if body.get("kind") == "Status" else self.object(body)
        return {"type": event["type"], "object": shown}

    def mine(self, body: Object) -> bool:
        metadata = body.get("metadata", {})
        return bool(self._scope == metadata.get("namespace") or str(metadata.get("name", "")).startswith(self._scope))

    def object(self, body: Object) -> Object:
        metadata = dict(body.get("metadata", {}))
        metadata.pop("managedFields", None)  # the record of server-side apply, see accepted.py
        if "generateName" in metadata:
            generated = self._generated[metadata["name"]] = f"{metadata['generateName']}…"
            metadata["name"] = generated
        self._learn(metadata)
        if "resourceVersion" in metadata:
            metadata["resourceVersion"] = self._version(str(metadata.get("uid")), metadata["resourceVersion"])
        plain: Object = self._plain({**body, "metadata": metadata}, "")
        return plain

    def _list(self, body: Object) -> Object:
        metadata = body.get("metadata", {})
        return {
            "kind": body.get("kind"),
            "apiVersion": body.get("apiVersion"),
            "continues": bool(metadata.get("continue")),
            "remaining": metadata.get("remainingItemCount"),
            "hasVersion": "resourceVersion" in metadata,
            "items": [self.object(item) for item in body["items"] if self.mine(item)],
        }

    def _table(self, body: Object) -> Object:
        columns = [
            [each.get(key) for key in ("name", "type", "format", "priority")] for each in body["columnDefinitions"]
        ]
        rows = [row for row in body["rows"] if self.mine(row["object"])]
        cells = [["an age" if AGE.match(str(cell)) else cell for cell in row["cells"]] for row in rows]
        return {"columns": columns, "rows": cells}

    def _status(self, body: Object) -> Object:
        details = dict(body.get("details", {}))
        details["name"] = self._generated.get(details.get("name", ""), details.get("name"))
        fields = {cause.get("field") for cause in details.get("causes", [])}
        return {
            "status": body.get("status"),
            "reason": body.get("reason"),
            "statusCode": body.get("code"),
            "details": {key: self._plain(details.get(key), key) for key in ("kind", "group", "name", "uid")},
            "fields": sorted(str(each) for each in fields - {"<nil>"}),  # of rules left out after a first error
        }

    def _version(self, uid: str, version: str) -> str:
        seen = self._versions.setdefault(uid, [])
        if version not in seen:
            seen.append(version)
        return f"version {seen.index(version) + 1}"

    def _learn(self, metadata: Object) -> None:
        uid, name = metadata.get("uid"), str(metadata.get("name"))
        if uid and uid not in self._uids:
            self._holders[name] = self._holders.get(name, 0) + 1
            self._uids[uid] = f"uid {self._holders[name]} of {name}"

    def _plain(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._plain(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self._plain(each, key) for each in value]
        if key == "uid" and value:
            return self._uids.get(value, value)
        if isinstance(value, str) and TIME.match(value):
            return "a time"
        if isinstance(value, str) and ADDRESS.match(value):
            return "a service address"
        return value
