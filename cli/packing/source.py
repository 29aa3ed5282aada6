"""The source of a function: what ``faas deploy`` is pointed at, read and checked before anything is sent."""

from pathlib import Path
from typing import NamedTuple

from cli.output import note, usage
from cli.packing import archive, folder, handler, requirements
from cli.packing.folder import SourceFile
from cli.packing.platforms import Platform
from cli.packing.requirements import Packages, Requirements

MAIN = "main.py"


class Source(NamedTuple):
    """A function's files, the requirements they need, and their handler."""

    files: list[SourceFile]
    requirements: Requirements | None
    handler: str


class Packed(NamedTuple):
    """A source in the form in which it is sent: inline texts, or what an archive is made of."""

    inline: dict[str, str] | None
    files: list[SourceFile]
    packages: Packages | None


def of_file(file: Path, wanted: str | None) -> Source:
    """A single Python file, which becomes ``main.py``. ``wanted`` is the handler asked for. Raises Failure."""
    if (file.parent / "requirements.txt").is_file():
        note(f"note: {file} is deployed alone; for the requirements beside it deploy the folder {file.parent}")
    files = [SourceFile(MAIN, file, False)]
    return Source(files, None, _handler(files, wanted, has_requirements=False, origin=str(file)))


def of_folder(root: Path, wanted: str | None) -> Source:
    """A folder with ``main.py``, or with the module of the handler ``wanted``. Raises Failure."""
    files = folder.collect(root)
    needed = requirements.find(root)
    return Source(files, needed, _handler(files, wanted, has_requirements=needed is not None, origin=str(root)))


def pack(source: Source, platform: Platform, upgrade: bool) -> Packed:
    """Brings a source into the form in which it is sent; resolves and unpacks its requirements. Raises Failure."""
    packages = None
    if source.requirements is not None:
        lock = requirements.resolve(source.requirements, platform, upgrade)
        packages = requirements.unpack(lock, source.requirements, platform)
    return Packed(folder.inline(source.files) if packages is None else None, source.files, packages)


def known_archive(packed: Packed) -> tuple[str, archive.Known | None]:
    """What the archive is remembered by, and its digest when these files were packed before."""
    key = archive.content_key(packed.files, packed.packages)
    return key, archive.recall(key)


def _handler(files: list[SourceFile], wanted: str | None, has_requirements: bool, origin: str) -> str:
    """The handler as ``module:name``, checked against the source; one in the requirements cannot be looked into."""
    module, _, name = (wanted or "main:").partition(":")
    place = module.replace(".", "/")
    found = next((file for file in files if file.path in (f"{place}.py", f"{place}/__init__.py")), None)
    if found is None:
        if wanted is not None and has_requirements:
            return wanted
        raise _no_module(files, wanted, f"{place}.py", origin)
    try:
        text = found.file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise usage(f"{found.file} is not UTF-8 text") from None
    names = handler.names_of(text, str(found.file))
    if wanted is None:
        chosen = handler.choose(names, found.path)
        if chosen == handler.APP:
            note(f"handler: main:{chosen}, an ASGI application (there is no main:{handler.HANDLE})")
        return f"main:{chosen}"
    if not names.have(name.partition(".")[0]):
        raise handler.missing(names, name, found.path)
    return wanted


def _no_module(files: list[SourceFile], wanted: str | None, path: str, origin: str) -> Exception:
    others = [file.path for file in files if file.path.endswith(".py") and "/" not in file.path][:5]
    if wanted is not None:
        return usage(
            f"{origin} has no {path} for the handler {wanted}", f"it has {', '.join(others)}" if others else ""
        )
    if not others and (manifests := sorted(file.path for file in files if file.path.endswith((".yaml", ".yml")))):
        return usage(f"{origin} has no {path}", f"manifests are deployed by name: faas deploy {origin}/{manifests[0]}")
    hint = (
        f"it has {', '.join(others)}: name one with --handler {others[0].removesuffix('.py')}:NAME"
        if others
        else ("a function is a folder with a main.py that defines handle(event)")
    )
    return usage(f"{origin} has no {path}", hint)
