"""What goes wrong with models, each with its named cause: the one exception of this room, and what others mean."""

from penstock.contracts.views import LeaseLost
from penstock.contracts.work import Failure, FailureCause


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


def failure_of(error: BaseException, otherwise: FailureCause = FailureCause.RAISED) -> Failure:
    """The named cause of what was raised; the message keeps its type where the cause does not say it."""
    match error:
        case ModelError():
            return Failure(error.cause, str(error))
        case LeaseLost():
            return Failure(FailureCause.LEASE_LOST, str(error) or "the lease ended before the pixels were read")
        case MemoryError():
            return Failure(FailureCause.OUT_OF_MEMORY, f"memory ran out: {error}" if str(error) else "memory ran out")
        case _:
            return Failure(otherwise, f"{type(error).__name__}: {error}")
