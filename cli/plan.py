"""What ``faas deploy`` is going to do, worked out and checked before anything is sent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cli import manifest
from cli.manifest import Manifest
from cli.output import usage
from cli.packing import source
from cli.packing.source import Source
from cli.workflow import files
from services.contracts.names import FunctionRef


class Wishes(NamedTuple):
    """The options that say what the function is to be; ``settings`` by path in its spec, None where none was given."""

    name: str | None
    namespace: str | None
    settings: Mapping[str, Any]
    variables: Mapping[str, str]


class Planned(NamedTuple):
    """A checked manifest, and the source that is still to be packed for it; None when it has its own, or an image."""

    manifest: Manifest
    source: Source | None

    @property
    def workflow(self) -> bool:
        """Whether it is a Workflow; else it is a Function."""
        return bool(self.manifest["kind"] == "Workflow")

    @property
    def ref(self) -> FunctionRef:
        """The function's or workflow's name; it was checked."""
        return FunctionRef(self.manifest["metadata"]["namespace"], self.manifest["metadata"]["name"])


def plan(path: Path | None, wishes: Wishes) -> list[Planned]:
    """The functions and workflows that ``path`` and the options describe. Raises Failure (usage) when one is wrong."""
    image = wishes.settings.get("image")
    if path is None:
        if image is None or wishes.name is None:
            raise usage("nothing to deploy", "name a file, a folder or a manifest, or give --image and --name")
        return [Planned(_checked({}, wishes, "--image"), None)]
    if str(path) == "-":
        return _of_manifests(manifest.STDIN, wishes)
    if not path.exists():
        raise usage(f"{path} does not exist")
    if path.suffix in manifest.SUFFIXES and path.is_file():
        return _of_manifests(path, wishes)
    if image is not None:
        raise usage(f"--image and {path}: a function has an image or a source", "leave one out")
    if path.is_dir():
        return [_of_source(manifest.settings_of(path), path, path.resolve().name, wishes)]
    if path.suffix == ".py":
        # main.py is what every function's file is called; its folder tells them apart
        name = path.resolve().parent.name if path.name == source.MAIN else path.stem
        return [_of_source({}, path, name, wishes)]
    raise usage(f"{path} cannot be deployed", "a .py file, a folder with a main.py, or a .yaml or .json manifest can")


def _of_source(settings: Manifest, path: Path, usual_name: str, wishes: Wishes) -> Planned:
    named = (settings.get("metadata") or {}).get("name") if isinstance(settings.get("metadata"), dict) else None
    draft = _checked(settings, wishes._replace(name=wishes.name or named or usual_name), str(path), code=True)
    wanted = draft["spec"].get("handler")
    found = source.of_folder(path, wanted) if path.is_dir() else source.of_file(path, wanted)
    draft["spec"]["handler"] = found.handler
    return Planned(draft, found)


def _of_manifests(file: Path, wishes: Wishes) -> list[Planned]:
    documents = manifest.read(file)
    if not documents:
        raise usage(f"{file} is empty")
    if wishes.name is not None and len(documents) > 1:
        raise usage(f"--name: {file} has {len(documents)} documents")
    planned = [
        _of_workflow(each, wishes, file) if each.workflow else _of_function(each, wishes, file) for each in documents
    ]
    names = [(each.workflow, each.ref) for each in planned]
    twice = {ref for workflow, ref in names if names.count((workflow, ref)) > 1}
    if twice:
        raise usage(f"{file} has {min(twice)} more than once")
    return planned


def _of_function(read: manifest.Read, wishes: Wishes, file: Path) -> Planned:
    spec = manifest.section(read.manifest, "spec", str(file))
    if not read.manifest.keys() & {"kind", "metadata", "spec"}:
        found = f"an object with {', '.join(map(str, list(read.manifest)[:5]))}" if read.manifest else "an empty object"
        hint = f"a manifest has kind: {' or '.join(manifest.KINDS)}, a workflow's definition alone document and do"
        raise usage(f"{file}: {found} is neither a manifest nor a workflow", hint)
    if not ("source" in spec or "image" in spec or wishes.settings.get("image")):
        hint = f"to deploy the folder with these settings: faas deploy {file.parent}"
        raise usage(f"{file}: spec: one of source and image is needed", hint if file.name == "function.yaml" else "")
    return Planned(_checked(read.manifest, wishes, str(file)), None)


def _of_workflow(read: manifest.Read, wishes: Wishes, file: Path) -> Planned:
    given = [path for path, value in wishes.settings.items() if value is not None] + list(wishes.variables)
    if given:
        raise usage(f"{file}: {', '.join(given)}: these are settings of functions, and this is a workflow")
    spec = manifest.section(read.manifest, "spec", str(file))
    if isinstance(spec.get("definition"), dict):
        files.check_definition(read.manifest, file, read.piece)  # before its name is taken from it
    complete = manifest.complete(read.manifest, wishes.name, wishes.namespace, str(file))
    files.check(complete, file, read.piece)
    return Planned(complete, None)


def _checked(document: Manifest, wishes: Wishes, origin: str, code: bool = False) -> Manifest:
    """The manifest with the options in it, when it is valid. With ``code`` its source is not there yet."""
    complete = manifest.complete(document, wishes.name, wishes.namespace, origin)
    manifest.override(complete["spec"], wishes.settings, wishes.variables)
    probe = complete | {"spec": complete["spec"] | {"source": {"inline": {source.MAIN: ""}}}} if code else complete
    manifest.check(probe, origin)
    return complete
