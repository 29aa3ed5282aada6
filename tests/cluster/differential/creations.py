"""Generated requests that create, well and badly, and that read."""

from typing import Any

from tests.cluster.api import MERGE_PATCH, TABLE
from tests.cluster.differential.kinds import Edit, edited
from tests.cluster.differential.objects import Objects
from tests.cluster.differential.steps import Step

BAD_NAMES = ["Upper", "under_score", "-dash", "dash-", "a" * 254, "dot..dot", "slash/es", "ünicode", "space d", ""]
BAD_METADATA: list[tuple[str, str, Any]] = [
    ("bad label value", "labels", {"tier": "a b"}),
    ("bad label key", "labels", {"/x": "a"}),
    ("labels are a list", "labels", ["a"]),
    ("label is a number", "labels", {"tier": 1}),
    ("bad annotation key", "annotations", {"a b": "1"}),
    ("bad owner", "ownerReferences", [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": ""}]),
    ("bad finalizer", "finalizers", ["no-domain"]),
    ("version at creation", "resourceVersion", "12"),
    ("other namespace", "namespace", "elsewhere"),
]
LABEL_SELECTORS = [
    "tier=a",
    "tier!=a",
    "tier",
    "!tier",
    "tier in (a,b)",
    "tier notin (a)",
    "tier=a,zone",
    "tier in (",
    "=a",
]
LIST_OPTIONS = ["", "limit=1", "resourceVersion=0", "resourceVersion=x", "limit=x", "limit=0", "timeoutSeconds=5"]


class Creations(Objects):
    """Each method returns the steps of one attempt."""

    def _create(self) -> list[Step]:
        name = self._new_name()
        self._live[name] = self._object(name)
        return [Step("create", "POST", self.collection, self._live[name], save=name)]

    def _create_again(self) -> list[Step]:
        return [Step("create an existing name", "POST", self.collection, self._live[self._pick()])]

    def _create_bad(self) -> list[Step]:
        return [self._create_edited(self._random.choice(self.kind.invalid))] if self.kind.invalid else []

    def _create_edited(self, edit: Edit) -> Step:
        what, path, value = edit
        body = edited(self._named({**self._object(self._new_name()), **(self.kind.base or {})}), path, value)
        return Step(f"create with {what}", "POST", self.collection, body)

    def _create_bad_metadata(self) -> list[Step]:
        what, field, value = self._random.choice(BAD_METADATA)
        body = edited(self._object(self._new_name()), f"metadata.{field}", value)
        return [Step(f"create with {what}", "POST", self.collection, body)]

    def _create_bad_name(self) -> list[Step]:
        body = self._object(self._random.choice(BAD_NAMES))
        return [Step("create with a bad name", "POST", self.collection, body)]

    def _create_odd(self) -> list[Step]:
        body = self._object(self._new_name())
        unknown = {**body, "surprise": 1, "metadata": {**body["metadata"], "extra": "x"}}
        return [
            self._random.choice(
                [
                    Step("dry run", "POST", f"{self.collection}?dryRun=All", body),
                    Step("dry run of a wrong sort", "POST", f"{self.collection}?dryRun=Some", body),
                    Step("unknown field, strict", "POST", f"{self.collection}?fieldValidation=Strict", unknown),
                    Step(
                        "unknown field, dropped",
                        "POST",
                        f"{self.collection}?fieldValidation=Ignore&dryRun=All",
                        unknown,
                    ),
                    Step("unknown field, warned", "POST", f"{self.collection}?dryRun=All", unknown),
                    Step("field validation of a wrong sort", "POST", f"{self.collection}?fieldValidation=Some", body),
                ]
            )
        ]

    def _generate_name(self) -> list[Step]:
        body = self._object("")
        del body["metadata"]["name"]
        body["metadata"]["generateName"] = self._name("made-")
        dry = {"metadata": {}, **{key: value for key, value in body.items() if key != "metadata"}}
        return [
            Step("generate a name", "POST", self.collection, body, save="made"),
            Step("delete", "DELETE", self._at("${made.name}"), {"gracePeriodSeconds": 0}),
            Step("no name", "POST", self.collection, dry),
        ]

    def _malformed(self) -> list[Step]:
        body = self._object(self._new_name())
        path = self.collection
        return [
            self._random.choice(
                [
                    Step("no JSON", "POST", path, b"{not json"),
                    Step("no body", "POST", path, b""),
                    Step("a list as body", "POST", path, [1]),
                    Step("wrong kind", "POST", path, {**body, "kind": "Table"}),
                    Step("wrong version", "POST", path, {**body, "apiVersion": "v9"}),
                    Step("no kind", "POST", path, {key: value for key, value in body.items() if key != "kind"}),
                    Step("unknown media type", "POST", path, body, "text/plain"),
                    Step("method without meaning", "PUT", path, body),
                    Step("unknown subresource", "GET", f"{self._at('a0')}/nothing"),
                ]
            )
        ]

    def _read(self) -> list[Step]:
        name = self._pick()
        if self._random.random() < 0.3:
            return [Step("table of one", "GET", self._at(name), accept=TABLE)]
        return [Step("get", "GET", self._at(name), save=name)]

    def _read_missing(self) -> list[Step]:
        missing = self._at(self._name("missing"))
        body = edited(self._object(self._name("missing")), "metadata.resourceVersion", "1")
        return [
            self._random.choice(
                [
                    Step("get a missing one", "GET", missing),
                    Step("delete a missing one", "DELETE", missing),
                    Step("patch a missing one", "PATCH", missing, {"metadata": {}}, MERGE_PATCH),
                    Step("update a missing one", "PUT", missing, body),
                ]
            )
        ]

    def _list(self) -> list[Step]:
        choice = self._random.randrange(4)
        if choice == 0:
            # How many objects of all namespaces' remain is not this episode's to know.
            options = [each for each in LIST_OPTIONS if self.kind.namespaced or each != "limit=1"]
            return [Step("list", "GET", f"{self.collection}?{self._random.choice(options)}")]
        if choice == 3:
            return [Step("table", "GET", self.collection, accept=TABLE)]
        if choice == 1:
            selector = self._random.choice(LABEL_SELECTORS).replace(" ", "%20").replace("=", "%3D")
            return [Step("list by labels", "GET", f"{self.collection}?labelSelector={selector}")]
        selectors = [*self.kind.field_selectors, "metadata.name!=a0", "spec.nothing=1", "metadata.namespace="]
        chosen = self._random.choice(selectors).replace("=", "%3D")
        return [Step("list by fields", "GET", f"{self.collection}?fieldSelector={chosen}")]
