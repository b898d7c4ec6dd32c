"""Leased slots: whatever allocator, holder and reader do, and whoever of them dies, no slot is given out while somebody
living holds it, and none is lost.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.contracts.frames import Affine, Lease, Location, PixelFormat, Plane, View, ViewSpec
from penstock.contracts.views import LeaseLost
from penstock.framebus.regions import HeapRegions
from penstock.framebus.slots import LeaseBook, SlotAllocator, SlotReader, format_pool, pool_bytes
from penstock.testkit.views import frame_ref

SLOTS = 3
SPEC = ViewSpec(8, 4, PixelFormat.GRAY8)


def view_of(lease: Lease) -> View:
    plane = Plane(0, SPEC.width_px, SPEC.width_px, SPEC.height_px)
    return View(
        frame=frame_ref(),
        spec=SPEC,
        lease=lease,
        location=Location.HEAP,
        device="cpu",
        planes=(plane,),
        to_source=Affine(1.0, 1.0, 0.0, 0.0),
    )


class FrameSlots(RuleBasedStateMachine):
    """Ingest allocates, an engine holds, an executor reads; messages between them may be lost with a process."""

    def __init__(self) -> None:
        super().__init__()
        self.region = HeapRegions().create("pool:cam", pool_bytes(SLOTS, SPEC.nbytes))
        format_pool(self.region, SLOTS, SPEC.nbytes)
        self.allocator = SlotAllocator(self.region)
        self.reader = SlotReader()
        self.reader.attach(self.region)
        self.pictures = 0
        self.new_engine()

    def new_engine(self) -> None:
        self.book = LeaseBook()
        self.book.attach(self.region)
        self.sent: list[Lease] = []
        """on their way to the engine"""
        self.users: dict[Lease, int] = {}
        self.shown: dict[Lease, bytes] = getattr(self, "shown", {})

    def say_held(self) -> None:
        """The first message on every new link between the two."""
        held = self.book.held(["pool:cam", "pool:another"])
        assert sorted(held, key=str) == sorted(self.users, key=str)
        self.allocator.reclaim([*held, Lease("pool:another", 0, 1)])
        self.sent.clear()

    @rule()
    def lease(self) -> None:
        free = SLOTS - len(set(self.sent) | set(self.users))
        got = self.allocator.acquire_nowait()
        assert (got is not None) == (free > 0), "nothing leaks, and nothing is given out twice"
        if got is None:
            return
        lease, memory = got
        assert lease.slot not in {one.slot for one in [*self.sent, *self.users]}
        assert lease not in self.shown, "a lease names one picture for ever"
        self.pictures += 1
        memory[: SPEC.nbytes] = bytes([self.pictures % 251]) * SPEC.nbytes
        self.shown[lease] = bytes([self.pictures % 251]) * SPEC.nbytes
        self.sent.append(lease)

    @precondition(lambda self: self.sent or self.users)
    @rule(data=st.data())
    def lend_again(self, data: st.DataObject) -> None:
        """A second lane gets the same view."""
        lease = data.draw(st.sampled_from([*self.sent, *self.users]))
        assert self.allocator.is_leased(lease)
        self.sent.append(lease)

    @precondition(lambda self: self.sent)
    @rule()
    def receive(self) -> None:
        lease = self.sent.pop(0)
        taken = self.book.take(view_of(lease))
        assert taken, "what is on its way is not taken back while both live"
        self.users[lease] = self.users.get(lease, 0) + 1

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(list(self.users)))
        if self.users[lease] == 1 and lease in self.sent:
            # Given back while another message with it is on its way: that one finds nothing.
            self.sent = [one for one in self.sent if one != lease]
        self.users[lease] -= 1
        self.book.give_back(lease)
        if not self.users[lease]:
            del self.users[lease]
            assert not self.allocator.is_leased(lease)
            self.book.give_back(lease)
            assert not self.book.take(view_of(lease))

    @precondition(lambda self: self.sent)
    @rule()
    def not_sent(self) -> None:
        """The link was full: the newest lease was never handed on."""
        lease = self.sent[-1]
        if self.sent.count(lease) == 1 and lease not in self.users:
            self.sent.pop()
            self.allocator.abandon(lease)
            assert not self.book.take(view_of(lease))

    @rule()
    def engine_dies(self) -> None:
        self.new_engine()
        self.say_held()

    @rule()
    def ingest_dies(self) -> None:
        self.allocator = SlotAllocator(self.region)
        self.say_held()

    @rule()
    def ingest_dies_before_its_lease_was_sent(self) -> None:
        self.allocator.acquire_nowait()
        self.ingest_dies()

    @rule(lease=st.builds(Lease, st.just("pool:cam"), st.integers(-1, SLOTS + 1), st.integers(0, 40)))
    def strange_leases_do_nothing(self, lease: Lease) -> None:
        if lease not in self.users:
            self.book.give_back(lease)
        if lease not in self.shown:
            assert not self.reader.still_leased(view_of(lease))

    @invariant()
    def readers_see_the_picture_or_nothing(self) -> None:
        out = set(self.sent) | set(self.users)
        for lease, picture in self.shown.items():
            try:
                pixels = bytes(self.reader.pixels(view_of(lease)))
            except LeaseLost:
                assert lease not in out
            else:
                assert lease in out
                assert pixels == picture

    @invariant()
    def counts_are_true(self) -> None:
        counts = self.allocator.statistics()
        assert counts.slots == SLOTS
        assert counts.leased == len(set(self.sent) | set(self.users))
        assert len(self.book) == len(self.users)


FrameSlots.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestFrameSlots = FrameSlots.TestCase
