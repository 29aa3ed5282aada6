"""Reads feature files: the part of Gherkin that the conformance kit uses."""

import re
from pathlib import Path

import msgspec

_STEP = re.compile(r"(?:Given|When|Then|And|But|\*)\s+(.*)")
_FENCE = re.compile(r'("""|```)\s*\w*')


class Step(msgspec.Struct):
    """One step: its text without the keyword, and the text block below it."""

    text: str
    block: str | None = None


class Scenario(msgspec.Struct):
    """``name`` is unique in its file by ``line``."""

    name: str
    line: int
    steps: list[Step] = []


class WrongFeature(ValueError):
    """A line that is not Gherkin as it is read here."""


def read(path: Path) -> list[Scenario]:
    """The scenarios of a feature file, each with the steps of the background first. Raises WrongFeature."""
    scenarios: list[Scenario] = []
    background = Scenario(name="Background", line=0)
    current: Scenario | None = None
    lines = path.read_text(encoding="utf-8").splitlines()
    index = 0
    while index < len(lines):
        line, index = lines[index].strip(), index + 1
        if line.startswith("Background:"):
            current = background
        elif line.startswith(("Scenario:", "Example:")):
            current = Scenario(name=line.partition(":")[2].strip(), line=index, steps=list(background.steps))
            scenarios.append(current)
        elif line.startswith("Scenario Outline:"):
            raise WrongFeature(f"{path}:{index}: scenario outlines are not read")
        elif current is None or not line or line.startswith(("#", "@")):
            continue
        elif (fence := _FENCE.fullmatch(line)) is not None and current.steps:
            current.steps[-1].block, index = _block(path, lines, index, fence[1])
        elif (step := _STEP.fullmatch(line)) is not None:
            current.steps.append(Step(step[1].strip()))
        else:
            raise WrongFeature(f"{path}:{index}: {line!r} is no step")
    return scenarios


def _block(path: Path, lines: list[str], index: int, fence: str) -> tuple[str, int]:
    """The text up to the closing fence, less the fence's own indentation, and the line after it."""
    indent = len(lines[index - 1]) - len(lines[index - 1].lstrip())
    block: list[str] = []
    while index < len(lines):
        line, index = lines[index], index + 1
        if line.strip() == fence:
            return "\n".join(block), index
        block.append(line[indent:] if not line[:indent].strip() else line)
    raise WrongFeature(f"{path}: a text block is not closed")
