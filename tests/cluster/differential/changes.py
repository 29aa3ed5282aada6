"""Generated requests that change and delete what exists."""

from tests.cluster.api import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.cluster.differential.kinds import edited
from tests.cluster.differential.objects import Objects
from tests.cluster.differential.steps import Step


class Changes(Objects):
    """Each method returns the steps of one attempt; all need an object that exists."""

    def _replace(self) -> list[Step]:
        name = self._pick()
        changed = self._named({**self._current(name), **self.kind.body(self._random)})
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
        body = self._named({**self._current(name), **(self.kind.base or {})})
        return [Step(f"update with {what}", "PUT", self._at(name), edited(body, path, value))]

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

    def _apply(self) -> list[Step]:
        """Server-side apply by two managers that want different labels."""
        name = self._new_name()
        at = self._at(name)
        first = self._object(name)
        first["metadata"]["labels"] = {"tier": "a", "zone": "x"}
        second = {key: first[key] for key in ("apiVersion", "kind")}
        second["metadata"] = {"name": name, "labels": {"tier": "b"}}
        less = edited(first, "metadata.labels", {"tier": "a"})
        return [
            Step("apply without a manager", "PATCH", at, first, APPLY_PATCH),
            Step("apply a new one", "PATCH", f"{at}?fieldManager=first", first, APPLY_PATCH, name),
            Step("apply it again", "PATCH", f"{at}?fieldManager=first", first, APPLY_PATCH, name),
            Step("apply another's field", "PATCH", f"{at}?fieldManager=second", second, APPLY_PATCH, name),
            Step("apply by force", "PATCH", f"{at}?fieldManager=second&force=true", second, APPLY_PATCH, name),
            Step("apply what was lost", "PATCH", f"{at}?fieldManager=first", first, APPLY_PATCH, name),
            Step("apply without a field", "PATCH", f"{at}?fieldManager=first&force=true", less, APPLY_PATCH, name),
            Step("delete", "DELETE", at, {"gracePeriodSeconds": 0}),
        ]

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
            self._count += 1  # a new number each time: see document.py for what a Scale that changes nothing does
            scale = {"spec": {"replicas": self._random.choice([-1, 10 + self._count])}}
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
