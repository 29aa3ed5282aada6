"""Generates the requests of one episode: some dozens about one kind in one namespace, the same for the same seed."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.cluster.api import JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Object
from tests.cluster.differential.kinds import Kind, edited
from tests.cluster.differential.steps import Step

FIRST, LAST = "start", "sentinel"  # what a watch of the episode begins after and ends with

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


class Episode:
    """Makes the steps; `live` are the objects that exist if every valid request was accepted."""

    def __init__(self, kind: Kind, number: int) -> None:
        self.kind = kind
        self.scope = f"diff-{kind.plural.split('.')[0]}-{number}"
        self.collection = kind.collection(self.scope)
        self._random = Random(self.scope)
        self._live: dict[str, Object] = {}
        self._count = 0

    def steps(self, count: int) -> list[Step]:
        """Returns at least `count` steps, from an empty collection to one that holds the last object watched for."""
        made = [Step("list nothing", "GET", self.collection, save=FIRST), *self._create()]
        while len(made) < count:
            made += self._random.choice(self._operations())()
        last = edited(self._object(self._name(LAST)), "metadata.labels", {"tier": "last"})
        return [*made, Step("create", "POST", self.collection, last)]

    def _operations(self) -> list[Callable[[], list[Step]]]:
        always = [self._create, self._create, self._create_bad, self._create_bad, self._create_bad_metadata]
        always += [self._create_bad_name, self._create_odd, self._read_missing, self._list, self._list, self._malformed]
        always += [self._generate_name]
        if not self._live:
            return always
        always += [self._read, self._replace, self._replace, self._replace_stale, self._replace_bad, self._merge]
        always += [self._merge, self._json_patch, self._json_patch_bad, self._patch_odd, self._strategic, self._delete]
        always += [self._delete_conditional, self._finalizer, self._subresources, self._relabel, self._create_again]
        return always

    # Names, bodies and addresses

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
        return {**head, **self.kind.body(self._random)}

    def _current(self, name: str, version: str | None = None) -> Object:
        """Returns the body of an update of the object as it is, at the version last seen unless told otherwise."""
        return edited(self._live[name], "metadata.resourceVersion", version or f"${{{name}.resourceVersion}}")

    # Creation

    def _create(self) -> list[Step]:
        name = self._new_name()
        self._live[name] = self._object(name)
        return [Step("create", "POST", self.collection, self._live[name], save=name)]

    def _create_again(self) -> list[Step]:
        return [Step("create an existing name", "POST", self.collection, self._live[self._pick()])]

    def _create_bad(self) -> list[Step]:
        if not self.kind.invalid:
            return []
        what, path, value = self._random.choice(self.kind.invalid)
        body = edited(self._object(self._new_name()), path, value)
        return [Step(f"create with {what}", "POST", self.collection, body)]

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
                    Step("post to an object", "POST", self._at("a0"), body),
                    Step("unknown subresource", "GET", f"{self._at('a0')}/nothing"),
                ]
            )
        ]

    # Reading

    def _read(self) -> list[Step]:
        name = self._pick()
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
        choice = self._random.randrange(3)
        if choice == 0:
            return [Step("list", "GET", f"{self.collection}?{self._random.choice(LIST_OPTIONS)}")]
        if choice == 1:
            selector = self._random.choice(LABEL_SELECTORS).replace(" ", "%20").replace("=", "%3D")
            return [Step("list by labels", "GET", f"{self.collection}?labelSelector={selector}")]
        selectors = [*self.kind.field_selectors, "metadata.name!=a0", "spec.nothing=1", "metadata.namespace="]
        chosen = self._random.choice(selectors).replace("=", "%3D")
        return [Step("list by fields", "GET", f"{self.collection}?fieldSelector={chosen}")]

    # Updates

    def _replace(self) -> list[Step]:
        name = self._pick()
        changed = {**self._current(name), **self.kind.body(self._random)}
        if self.kind.immutable or self.kind.name == "ReplicaSet":
            changed = self._current(name)
            changed["metadata"] = {**changed["metadata"], "annotations": {"n": str(self._random.randrange(9))}}
        return [Step("update", "PUT", self._at(name), changed, save=name)]

    def _replace_stale(self) -> list[Step]:
        name = self._pick()
        other = self._current(name)
        return [
            self._random.choice(
                [
                    Step("update of an old version", "PUT", self._at(name), self._current(name, "1")),
                    Step("update of no such version", "PUT", self._at(name), self._current(name, "x")),
                    Step("update without version", "PUT", self._at(name), self._live[name], save=name),
                    Step("update with another name", "PUT", self._at(name), edited(other, "metadata.name", "other")),
                    Step("update with another uid", "PUT", self._at(name), edited(other, "metadata.uid", "other")),
                ]
            )
        ]

    def _replace_bad(self) -> list[Step]:
        name = self._pick()
        edits = [*self.kind.invalid, *self.kind.immutable]
        if not edits:
            return []
        what, path, value = self._random.choice(edits)
        return [Step(f"update with {what}", "PUT", self._at(name), edited(self._current(name), path, value))]

    def _merge(self) -> list[Step]:
        if not self.kind.changes:
            return []
        name = self._pick()
        return [Step("merge patch", "PATCH", self._at(name), self._random.choice(self.kind.changes), MERGE_PATCH, name)]

    def _relabel(self) -> list[Step]:
        name = self._pick()
        labels = {"metadata": {"labels": {"tier": self._random.choice(["a", "b", None])}}}
        return [Step("relabel", "PATCH", self._at(name), labels, MERGE_PATCH, name)]

    def _json_patch(self) -> list[Step]:
        name = self._pick()
        patch = [{"op": "add", "path": "/metadata/annotations", "value": {"by": "patch"}}]
        patch += self._random.choice(
            [
                [{"op": "replace", "path": "/metadata/annotations/by", "value": "replaced"}],
                [{"op": "test", "path": "/metadata/name", "value": name}],
                [{"op": "remove", "path": "/metadata/annotations"}],
                [{"op": "copy", "from": "/metadata/annotations/by", "path": "/metadata/annotations/copy"}],
                [{"op": "move", "from": "/metadata/annotations/by", "path": "/metadata/annotations/moved"}],
            ]
        )
        return [Step("JSON patch", "PATCH", self._at(name), patch, JSON_PATCH, name)]

    def _json_patch_bad(self) -> list[Step]:
        what, patch = self._random.choice(
            [
                ("that fails its test", [{"op": "test", "path": "/metadata/name", "value": "other"}]),
                ("of a missing field", [{"op": "remove", "path": "/metadata/nothing"}]),
                ("of an unknown operation", [{"op": "invert", "path": "/metadata"}]),
                ("that is an object", {"op": "add"}),
                ("that is no JSON", b"[{"),
                ("without a path", [{"op": "add", "value": 1}]),
            ]
        )
        return [Step(f"JSON patch {what}", "PATCH", self._at(self._pick()), patch, JSON_PATCH)]

    def _patch_odd(self) -> list[Step]:
        name = self._pick()
        path = self._at(name)
        return [
            self._random.choice(
                [
                    Step("patch without a type", "PATCH", path, {}, JSON),
                    Step("empty patch", "PATCH", path, {}, MERGE_PATCH),
                    Step("patch that is no JSON", "PATCH", path, b"{", MERGE_PATCH),
                    Step("patch of the name", "PATCH", path, {"metadata": {"name": "other"}}, MERGE_PATCH),
                    Step("patch of the uid", "PATCH", path, {"metadata": {"uid": "other"}}, MERGE_PATCH),
                    Step("patch of an old version", "PATCH", path, {"metadata": {"resourceVersion": "1"}}, MERGE_PATCH),
                    Step("patch of the kind", "PATCH", path, {"kind": "Other"}, MERGE_PATCH),
                    Step("patch with unknown field", "PATCH", f"{path}?fieldValidation=Strict", {"zz": 1}, MERGE_PATCH),
                    Step(
                        "patch, dry run",
                        "PATCH",
                        f"{path}?dryRun=All",
                        {"metadata": {"labels": {"d": "r"}}},
                        MERGE_PATCH,
                    ),
                ]
            )
        ]

    def _strategic(self) -> list[Step]:
        name = self._pick()
        patch = self._random.choice([{"metadata": {"labels": {"tier": "c"}}}, *self.kind.strategic])
        return [Step("strategic patch", "PATCH", self._at(name), patch, STRATEGIC_PATCH, name)]

    # Subresources and deletion

    def _subresources(self) -> list[Step]:
        name = self._pick()
        at = self._at(name)
        steps = []
        if self.kind.status is not None:
            patch = {"status": self.kind.status, "metadata": {"labels": {"ignored": "1"}}}
            steps += [Step("patch the status", "PATCH", f"{at}/status", patch, MERGE_PATCH, name)]
            steps += [Step("get the status", "GET", f"{at}/status")]
            steps += [Step("status in a plain patch", "PATCH", at, {"status": None}, MERGE_PATCH, name)]
        if self.kind.scale:
            scale = {"spec": {"replicas": self._random.randrange(-1, 4)}}
            steps += [Step("patch the scale", "PATCH", f"{at}/scale", scale, MERGE_PATCH)]
            steps += [Step("get the scale", "GET", f"{at}/scale")]
            head = {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": name, "namespace": self.scope},
            }
            steps += [Step("set the scale", "PUT", f"{at}/scale", {**head, **scale})]
            steps += [Step("get", "GET", at, save=name)]
        return steps

    def _delete(self) -> list[Step]:
        name = self._pick()
        del self._live[name]
        options = self._random.choice(
            [
                None,
                {"gracePeriodSeconds": 0},
                {"propagationPolicy": "Background"},
                {"propagationPolicy": "Background", "preconditions": {"uid": f"${{{name}.uid}}"}},
            ]
        )
        return [Step("delete", "DELETE", self._at(name), options), Step("get a deleted one", "GET", self._at(name))]

    def _delete_conditional(self) -> list[Step]:
        at = self._at(self._pick())
        return [
            self._random.choice(
                [
                    Step("delete another uid", "DELETE", at, {"preconditions": {"uid": "other"}}),
                    Step("delete an old version", "DELETE", at, {"preconditions": {"resourceVersion": "1"}}),
                    Step("delete, dry run", "DELETE", f"{at}?dryRun=All"),
                    Step("delete with a wrong policy", "DELETE", at, {"propagationPolicy": "Sideways"}),
                    Step(
                        "delete with two policies",
                        "DELETE",
                        at,
                        {"propagationPolicy": "Orphan", "orphanDependents": True},
                    ),
                ]
            )
        ]

    def _finalizer(self) -> list[Step]:
        name = self._pick()
        del self._live[name]
        at = self._at(name)
        hold = {"metadata": {"finalizers": ["test.faas.dev/hold"]}}
        grace = {"gracePeriodSeconds": 0}
        return [
            Step("add a finalizer", "PATCH", at, hold, MERGE_PATCH, name),
            Step("delete what is held", "DELETE", at, grace, save=name),
            Step("delete it again", "DELETE", at, grace),
            Step(
                "add another one",
                "PATCH",
                at,
                {"metadata": {"finalizers": ["a.b/c", "test.faas.dev/hold"]}},
                MERGE_PATCH,
            ),
            Step("take the finalizer away", "PATCH", at, {"metadata": {"finalizers": None}}, MERGE_PATCH),
            Step("get a deleted one", "GET", at),
        ]
