"""Shows every difference between the two API servers, the accepted ones too: `python -m tests.cluster.differential`."""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.differential.accepted import ACCEPTED, accepted_by
from tests.cluster.differential.compare import Difference
from tests.cluster.differential.servers import ALL_KINDS, EPISODES, both_servers, compare_bad_values, compare_choices


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.differential", description=__doc__)
    parser.add_argument("kinds", nargs="*", help="only these kinds, such as Pod")
    parser.add_argument("--all", action="store_true", help="the accepted differences too")
    options = parser.parse_args()
    used: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="faas-differential-") as folder, ExitStack() as stack:
        pair = stack.enter_context(both_servers(Path(folder)))
        for kind in ALL_KINDS:
            if not options.kinds or kind.name in options.kinds:
                found = [*compare_bad_values(kind, pair)]
                for number in range(EPISODES):
                    found += compare_choices(kind, number, pair)
                used.update(accepted.title for each in found if (accepted := accepted_by(each)))
                for line in grouped(each for each in found if options.all or accepted_by(each) is None):
                    print(line)
    print("\naccepted:", *(f"{used[each.title]:6} {each.title}" for each in ACCEPTED), sep="\n")


def grouped(found: Iterator[Difference]) -> list[str]:
    """Returns a line for each place where answers differ, with how often and the first example."""
    examples: dict[tuple[str, str, str], Difference] = {}
    count: Counter[tuple[str, str, str]] = Counter()
    for each in found:
        key = (each.kind, each.what, each.where)
        count[key] += 1
        examples.setdefault(key, each)
    return [f"{count[key]:4} {examples[key]}" for key in examples]


if __name__ == "__main__":
    main()
