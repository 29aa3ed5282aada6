"""Gives a scenario's workflows and secrets names of their own, and its hosts the addresses of their stubs: many
scenarios run on one platform, and a service knows no mapping of hosts."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.workflow.ctk.driver import Outcome


class Renaming:
    """``mark`` is what names of this scenario begin with: letters and digits."""

    def __init__(self, mark: str, hosts: Mapping[str, str]) -> None:
        self._mark, self._hosts = mark, hosts
        self._secrets: list[str] = []

    def document(self, document: Any) -> Any:
        """A definition in the namespace ``default``, under another name; as it is when it is none."""
        if not isinstance(document, dict) or not isinstance(document.get("document"), dict):
            return document
        use = document.get("use")
        self._secrets = list(use.get("secrets") or []) if isinstance(use, dict) else []
        made: Any = self._walk(document)
        made["document"] |= {"namespace": "default", "name": self._name(made["document"].get("name"))}
        return made

    def _name(self, name: Any) -> Any:
        return f"{self._mark}-{name}"[:63].strip("-") if isinstance(name, str) else name

    def secret(self, name: str) -> str:
        """The name of a secret: Kubernetes has no capitals in names, examples have."""
        return self._mark + name.lower()

    def value(self, value: Any) -> Any:
        """Data in which hosts may be named."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            text = self._text(value)
            for name in self._secrets:
                text = re.sub(rf"\$secrets\.{re.escape(name)}\b", f"$secrets.{self.secret(name)}", text)
                text = self.secret(name) if text == name else text
            return text
        if isinstance(value, list):
            return [self._walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        made = {key: self._walk(item) for key, item in value.items()}
        process = made.get("workflow")
        if isinstance(process, dict) and {"namespace", "name"} <= process.keys():
            process |= {"namespace": "default", "name": self._name(process["name"])}
        return made

    def _text(self, text: str) -> str:
        for host, base in self._hosts.items():
            text = re.sub(rf"https?://{re.escape(host)}(?![\w.:-])", base.rstrip("/"), text)
        return text

    def back(self, outcome: Outcome) -> Outcome:
        """The outcome with the hosts' own names."""
        text = msgspec.json.encode(outcome).decode()
        for host, base in sorted(self._hosts.items(), key=lambda item: -len(item[1])):
            text = text.replace(base.rstrip("/"), f"https://{host}")
        return msgspec.json.decode(text, type=Outcome)
