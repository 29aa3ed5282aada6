"""Generates the requests of one episode: some dozens about one kind in one namespace, the same in every run."""

from collections.abc import Callable

from tests.cluster.differential.changes import Changes
from tests.cluster.differential.creations import Creations
from tests.cluster.differential.kinds import edited
from tests.cluster.differential.steps import Step

FIRST, LAST = "start", "sentinel"  # what a watch of the episode begins after and ends with


class Episode(Creations, Changes):
    """Chooses among the attempts; the choices follow from the kind and the episode's number alone."""

    def steps(self, count: int) -> list[Step]:
        """Returns at least `count` steps by choice."""
        made = self._create()
        while len(made) < count:
            made += self._random.choice(self._operations())()
        return self._framed(made)

    def every_edit(self) -> list[Step]:
        """Returns a creation for each of the kind's edits, whatever the choices above left out."""
        return self._framed([self._create_edited(each) for each in self.kind.invalid])

    def _framed(self, steps: list[Step]) -> list[Step]:
        """Returns the steps between the list that watches begin after and the object that ends them, which is read."""
        last = edited(self._object(self._name(LAST)), "metadata.labels", {"tier": "last"})
        first = Step("list nothing", "GET", self.collection, save=FIRST)
        ending = [Step("create", "POST", self.collection, last), Step("get", "GET", self._at(self._name(LAST)))]
        return [first, *steps, *ending]

    def _operations(self) -> list[Callable[[], list[Step]]]:
        always = [self._create, self._create, self._create_bad, self._create_bad, self._create_bad_metadata]
        always += [self._create_bad_name, self._create_odd, self._read_missing, self._list, self._list, self._malformed]
        if self.kind.deleted:
            always += [self._apply] if self.kind.named else [self._generate_name, self._apply]
        if not self._live:
            return always
        always += [self._read, self._replace, self._replace, self._replace_stale, self._replace_bad, self._merge]
        always += [self._merge, self._json_patch, self._json_patch_bad, self._patch_odd, self._strategic]
        always += [self._subresources, self._relabel, self._create_again]
        if self.kind.deleted:
            always += [self._delete, self._delete_conditional, self._finalizer]
        return always
