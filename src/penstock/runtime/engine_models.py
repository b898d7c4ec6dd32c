"""Which models the engine may ask for: what executors said of each, and whether all have been heard of."""

from collections.abc import Iterable, Mapping

from penstock.contracts.frames import ViewSpec
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import ModelDescription


class ModelBook:
    """The models of the run's lanes, by name."""

    def __init__(self, lanes: Iterable[LaneSpec]) -> None:
        self._wanted = {lane.model for lane in lanes}
        self._loaded: dict[str, ModelDescription] = {}
        self._failed: dict[str, str] = {}

    @property
    def loaded(self) -> Mapping[str, ModelDescription]:
        return self._loaded

    @property
    def complete(self) -> bool:
        """Whether every model that a lane needs is loaded, or known not to be."""
        return self.all_known(self._wanted)

    @property
    def hopeless(self) -> str:
        """Why no lane can ever have a result; empty where one can, or where that is not known yet."""
        if self._loaded or not self._wanted <= self._failed.keys():
            return ""
        return f"no model could be loaded: {'; '.join(self._failed.values())}"

    def all_known(self, models: Iterable[str]) -> bool:
        return all(model in self._loaded or model in self._failed for model in models)

    def view_of(self, model: str) -> ViewSpec:
        """What a loaded model wants to see."""
        return self._loaded[model].view

    def ready(self, description: ModelDescription) -> None:
        self._loaded[description.model] = description
        self._failed.pop(description.model, None)

    def unavailable(self, model: str, why: str) -> None:
        self._failed[model] = why

    def gone(self, models: Iterable[str]) -> None:
        """Their executor ended: it is waited for."""
        for model in models:
            self._loaded.pop(model, None)
