"""What the generated requests of an episode are about: the objects believed to exist, their names and addresses."""

from random import Random

from tests.cluster.api import Object
from tests.cluster.differential.kinds import Kind, edited


class Objects:
    """The objects of one kind in one namespace; `_live` are those that exist if every valid request was accepted."""

    def __init__(self, kind: Kind, number: int) -> None:
        self.kind = kind
        self.scope = f"diff-{kind.plural}-{number}"
        self.collection = kind.collection(self.scope)
        self._random = Random(self.scope)
        self._live: dict[str, Object] = {}
        self._count = 0

    def _name(self, name: str) -> str:
        return name if self.kind.namespaced else f"{self.scope}-{name}"

    def _new_name(self) -> str:
        self._count += 1
        return self._name(f"a{self._count - 1}")

    def _pick(self) -> str:
        return self._random.choice(sorted(self._live))

    def _at(self, name: str) -> str:
        return f"{self.collection}/{name}"

    def _object(self, name: str) -> Object:
        metadata: Object = {"name": name}
        if self._random.random() < 0.7:
            metadata["labels"] = {"tier": self._random.choice("abc")}
        head = {"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": metadata}
        return self._named({**head, **self.kind.body(self._random)})

    def _named(self, body: Object) -> Object:
        """Returns the body with its name also where its kind wants it once more."""
        return edited(body, self.kind.named, body["metadata"]["name"]) if self.kind.named else body

    def _current(self, name: str, version: str | None = None) -> Object:
        """Returns the body of an update of the object as it is, at the version last seen unless told otherwise."""
        return edited(self._live[name], "metadata.resourceVersion", version or f"${{{name}.resourceVersion}}")
