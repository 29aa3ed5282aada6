"""The queue: bounds, order within a function, fairness between functions, nothing lost."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.router.queue import FairQueue, Limits

LIMITS = Limits(function_calls=6, function_bytes=60, total_calls=10, total_bytes=100)
FUNCTIONS = st.sampled_from(["a", "b", "c"])


class QueueMachine(RuleBasedStateMachine):
    """Any sequence of steps, beside a model that keeps plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(LIMITS)
        self.lines: dict[str, list[int]] = {"a": [], "b": [], "c": []}
        self.sizes: dict[int, int] = {}
        self.over = 0
        """Calls that were put back beyond the bounds."""

    @rule(function=FUNCTIONS, size=st.integers(0, 30))
    def offer(self, function: str, size: int) -> None:
        item = len(self.sizes)
        self.sizes[item] = size
        before = {name: list(line) for name, line in self.lines.items()}
        dropped = self.queue.offer(function, item, size)
        self.lines[function].append(item)
        for lost in dropped:
            owner = next(name for name, line in self.lines.items() if lost in line)
            assert lost == self.lines[owner][-1], "only the last of a line gives way"
            self.lines[owner].remove(lost)
            if lost != item:
                by_calls = len(before[owner]) > len(before[function]) + 1
                by_bytes = self.weight(before[owner]) > self.weight(before[function]) + size
                assert by_calls or by_bytes, "only a longer line gives way"

    @rule(function=FUNCTIONS)
    def take(self, function: str) -> None:
        line = self.lines[function]
        assert self.queue.take(function) == (line.pop(0) if line else None)

    @rule(function=FUNCTIONS)
    def take_and_put_back(self, function: str) -> None:
        item = self.queue.take(function)
        if item is not None:
            self.queue.put_back(function, item, self.sizes[item])

    @rule(function=FUNCTIONS, position=st.integers(0, 9))
    def remove(self, function: str, position: int) -> None:
        line = self.lines[function]
        if position < len(line):
            self.queue.remove(function, line.pop(position))
        else:
            self.queue.remove(function, -1)

    @rule(function=FUNCTIONS)
    def take_all(self, function: str) -> None:
        assert self.queue.take_all(function) == self.lines[function]
        self.lines[function] = []

    @invariant()
    def counts_agree(self) -> None:
        assert {name: self.queue.count(name) for name in self.lines} == {n: len(q) for n, q in self.lines.items()}
        assert self.queue.calls == sum(map(len, self.lines.values()))
        assert self.queue.bytes == sum(map(self.weight, self.lines.values()))
        assert set(self.queue.functions()) == {name for name, line in self.lines.items() if line}

    @invariant()
    def bounds_hold(self) -> None:
        assert self.queue.calls <= LIMITS.total_calls
        assert self.queue.bytes <= LIMITS.total_bytes
        assert all(len(line) <= LIMITS.function_calls for line in self.lines.values())
        assert all(self.weight(line) <= LIMITS.function_bytes for line in self.lines.values())

    def weight(self, line: list[int]) -> int:
        return sum(self.sizes[item] for item in line)


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
test_queue_machine = QueueMachine.TestCase


def test_a_flood_of_one_function_leaves_the_others_their_share() -> None:
    limits = Limits(function_calls=1000, function_bytes=10**6, total_calls=90, total_bytes=10**6)
    queue: FairQueue[tuple[str, int]] = FairQueue(limits)
    for number in range(1000):
        queue.offer("flood", ("flood", number), 1)
    refused: Counter[str] = Counter()
    for number in range(30):
        for name in ("one", "two"):
            for lost in queue.offer(name, (name, number), 1):
                refused[lost[0]] += 1
            for lost in queue.offer("flood", ("flood", 1000 + number), 1):
                refused[lost[0]] += 1
    assert refused["one"] == refused["two"] == 0
    assert {name: queue.count(name) for name in ("flood", "one", "two")} == {"flood": 30, "one": 30, "two": 30}
    assert queue.take("flood") == ("flood", 0), "those that came first keep their place"


def test_what_is_put_back_is_first_again_even_when_all_is_full() -> None:
    queue: FairQueue[str] = FairQueue(Limits(2, 100, 2, 100))
    assert queue.offer("a", "first", 1) == queue.offer("a", "second", 1) == []
    taken = queue.take("a")
    assert queue.offer("a", "third", 1) == []
    assert taken is not None
    queue.put_back("a", taken, 1)
    assert queue.take_all("a") == ["first", "second", "third"]


def test_long_lines_are_taken_in_linear_time() -> None:
    queue: FairQueue[int] = FairQueue(Limits(200_000, 10**9, 200_000, 10**9))
    for number in range(200_000):
        queue.offer("a", number, 1)
    assert [queue.take("a") for _ in range(200_000)] == list(range(200_000))
