"""Cumulative counters in memory that survives their writer.

Each word is one aligned 64-bit number with a single writer, so a reader sees it before or after an addition, never
torn. A writer that is killed leaves exact counts; what it had in flight is the difference that its successor names.
"""

WORD_BYTES = 8


class CounterBlock:
    """`count` unsigned 64-bit words in `memory`, which must be 8-byte aligned."""

    def __init__(self, memory: memoryview, count: int) -> None:
        self._words = memory[: count * WORD_BYTES].cast("Q")

    def add(self, index: int, amount: int = 1) -> None:
        self._words[index] += amount

    def set(self, index: int, value: int) -> None:
        self._words[index] = value

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __len__(self) -> int:
        return len(self._words)

    def values(self) -> list[int]:
        return self._words.tolist()
