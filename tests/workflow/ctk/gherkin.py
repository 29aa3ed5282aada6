"""Reads feature files: the part of Gherkin that conformance kits use."""

import re
from pathlib import Path

import msgspec

_STEP = re.compile(r"(?:Given|When|Then|And|But|\*)\s+(.*)")
_FENCE = re.compile(r'("""|```)\s*[\w/+-]*')


class Step(msgspec.Struct):
    """One step: its text without the keyword, and the text block or table below it (a table as its lines)."""

    text: str
    block: str | None = None


class Scenario(msgspec.Struct):
    """``name`` is unique in its file by ``line``."""

    name: str
    line: int
    steps: list[Step] = []


class WrongFeature(ValueError):
    """A line that is not Gherkin as it is read here."""


class _Outline(msgspec.Struct):
    """A scenario outline, with the rows of its examples."""

    scenario: Scenario
    rows: list[tuple[int, list[str]]] = []


def read(path: Path) -> list[Scenario]:
    """The scenarios of a feature file, each with the steps of the background first; one for each example of an
    outline. Raises WrongFeature."""
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text(encoding="utf-8-sig").splitlines()
        self.index = 0
        self.background: list[Step] = []
        self.scenarios: list[Scenario] = []
        self.steps: list[Step] | None = None
        """Where steps belong; None in a description."""
        self.outline: _Outline | None = None
        self.in_examples = False

    def read(self) -> list[Scenario]:
        while self.index < len(self.lines):
            line, self.index = self.lines[self.index].strip(), self.index + 1
            if line and not line.startswith(("#", "@")):
                self._take(line)
        self._close_outline()
        return self.scenarios

    def _take(self, line: str) -> None:
        keyword, colon, rest = line.partition(":")
        if colon and keyword in ("Feature", "Rule", "Background", "Examples", "Scenarios"):
            self._section(keyword)
        elif colon and keyword in ("Scenario", "Example", "Scenario Outline", "Scenario Template"):
            self._scenario(rest.strip(), "Outline" in keyword or "Template" in keyword)
        elif self.in_examples and self.outline is not None and line.startswith("|"):
            self.outline.rows.append((self.index, _cells(line)))
        elif self.steps is None or self.in_examples:
            return  # a description
        elif (fence := _FENCE.fullmatch(line)) is not None and self.steps:
            self.steps[-1].block = self._block(fence[1])
        elif line.startswith("|") and self.steps:
            self.steps[-1].block = "\n".join(filter(None, (self.steps[-1].block, line)))
        elif (step := _STEP.fullmatch(line)) is not None:
            self.steps.append(Step(step[1].strip()))
        elif self.steps:
            raise WrongFeature(f"{self.path}:{self.index}: {line!r} is no step")

    def _section(self, keyword: str) -> None:
        self.in_examples = keyword in ("Examples", "Scenarios")
        if self.in_examples:
            if self.outline is None:
                raise WrongFeature(f"{self.path}:{self.index}: examples without an outline")
            return
        self._close_outline()
        self.steps = self.background if keyword == "Background" else None

    def _scenario(self, name: str, outline: bool) -> None:
        self._close_outline()
        self.in_examples = False
        steps = [Step(step.text, step.block) for step in self.background]
        scenario = Scenario(name=name, line=self.index, steps=steps)
        self.steps = scenario.steps
        if outline:
            self.outline = _Outline(scenario)
        else:
            self.scenarios.append(scenario)

    def _close_outline(self) -> None:
        """A scenario for each row of an outline's examples; further tables begin with names again."""
        if self.outline is None:
            return
        made, names = self.outline, None
        last = 0
        for line, cells in made.rows:
            if names is None or line != last + 1:
                names = cells
            else:
                values = dict(zip(names, cells, strict=True))
                steps = [
                    Step(_filled(step.text, values), None if step.block is None else _filled(step.block, values))
                    for step in made.scenario.steps
                ]
                self.scenarios.append(Scenario(_filled(made.scenario.name, values), line, steps))
            last = line
        self.outline = None

    def _block(self, fence: str) -> str:
        """The text up to the closing fence, less the fence's own indentation."""
        indent = len(self.lines[self.index - 1]) - len(self.lines[self.index - 1].lstrip())
        block: list[str] = []
        while self.index < len(self.lines):
            line, self.index = self.lines[self.index], self.index + 1
            if line.strip() == fence:
                return "\n".join(block)
            kept = line[indent:] if not line[:indent].strip() else line.lstrip()
            block.append(kept.replace('\\"\\"\\"', '"""').replace("\\`\\`\\`", "```"))
        raise WrongFeature(f"{self.path}: a text block is not closed")


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text
