"""Reading leased pixels."""

from typing import Protocol

from penstock.contracts.frames import View


class LeaseLost(Exception):
    """The slot has passed to another frame: the lease was returned or its holder was declared dead."""


class ViewReader(Protocol):
    """Gives the bytes of views, wherever they lie on this host."""

    def pixels(self, view: View) -> memoryview:
        """A read-only view of the slot's bytes, without a copy; raises LeaseLost.

        Valid until the lease is returned. Whoever reads on after that sees another frame: check
        `still_leased` after reading where it matters.
        """
        ...

    def still_leased(self, view: View) -> bool: ...
