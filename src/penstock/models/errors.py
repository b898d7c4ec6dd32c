"""The one exception of this room: a model that cannot be loaded or has given nonsense, with its named cause."""

from penstock.contracts.work import FailureCause


class ModelError(Exception):
    """What is wrong, where, and what to do; `cause` is what the outcome of the work will name."""

    def __init__(self, cause: FailureCause, what: str, advice: str = "") -> None:
        super().__init__(f"{what}. {advice}" if advice else what)
        self.cause = cause
        self.what = what
        self.advice = advice


def load_error(what: str, advice: str = "") -> ModelError:
    """A model that cannot be used at all: `load_failed`."""
    return ModelError(FailureCause.LOAD_FAILED, what, advice)


def output_error(what: str, advice: str = "") -> ModelError:
    """A network that ran and gave something that no picture explains: `bad_output`."""
    return ModelError(FailureCause.BAD_OUTPUT, what, advice)
