"""Carries measured costs from run to run: read when the engine starts, written now and then and when it ends."""

from collections.abc import Mapping

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.specs import RunSpec
from penstock.runtime.admission_picture import picture_of
from penstock.runtime.cost_book import CostBook
from penstock.runtime.engine_models import ModelBook
from penstock.scheduling.picture import Picture

KEEP_EVERY_NS = 30 * NS_PER_S


class CostKeeper:
    """The cost book of the run's data folder."""

    def __init__(self, spec: RunSpec, clock: Clock, models: ModelBook) -> None:
        self._spec = spec
        self._clock = clock
        self._models = models
        self._book: CostBook | None = None

    def first_picture(self) -> Picture:
        """What the run begins with: measured earlier where it was, else assumed. Reads the book."""
        self._book = CostBook.read(self._spec.data_dir)
        return picture_of(self._spec, self._book, {})

    def keep(self, picture: Picture, sizes_px: Mapping[str, tuple[int, int]]) -> None:
        """Writes what is known by now, the sizes of the cameras' pictures too; nothing before `first_picture`."""
        if self._book is not None:
            self._book.learn(self._spec, picture, self._clock.utc_ns(), self._models.loaded.values(), sizes_px)
            self._book.write(self._spec.data_dir)
