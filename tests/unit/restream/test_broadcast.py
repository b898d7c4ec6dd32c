"""What each subscriber gets, forgets and counts."""

import pytest

from penstock.restream.broadcast import CACHE_UNITS, Broadcast, Subscription
from penstock.restream.media import MediaDescription, MediaUnit

H264 = MediaDescription("h264", 640, 360, 25.0, b"sets")
FRAME_NS = 40_000_000


def unit(number: int, gop: int = 10) -> MediaUnit:
    return MediaUnit(bytes([number % 256]), number % gop == 0, number * FRAME_NS, number * FRAME_NS)


def numbers(subscription: Subscription) -> list[int]:
    taken = []
    while (item := subscription.take_nowait()) is not None:
        taken.append(item[1].pts_ns // FRAME_NS)
    return taken


def publish(broadcast: Broadcast, begin: int, end: int, gop: int = 10) -> None:
    for number in range(begin, end):
        broadcast.publish_nowait(unit(number, gop))


def test_a_new_subscriber_begins_at_the_next_keyframe() -> None:
    broadcast = Broadcast(H264)
    publish(broadcast, 0, 5)
    woken: list[int] = []
    subscription = broadcast.subscribe(lambda: woken.append(1))
    publish(broadcast, 5, 13)
    assert numbers(subscription) == [10, 11, 12]
    assert len(woken) == 8


def test_or_with_the_current_gop() -> None:
    broadcast = Broadcast(H264)
    publish(broadcast, 0, 15)
    subscription = broadcast.subscribe(lambda: None, cached_gop=True)
    publish(broadcast, 15, 17)
    assert numbers(subscription) == [10, 11, 12, 13, 14, 15, 16]


def test_a_slow_subscriber_forgets_up_to_a_keyframe_and_delays_nobody() -> None:
    broadcast = Broadcast(H264)
    slow, fast = broadcast.subscribe(lambda: None), broadcast.subscribe(lambda: None)
    seen = []
    for number in range(60):
        broadcast.publish_nowait(unit(number))
        seen += numbers(fast)
    assert seen == list(range(60))
    # 2 s are 50 intervals: with unit 51 the first GOP goes, and no more.
    assert numbers(slow) == list(range(10, 60))
    assert slow.statistics().dropped == 10
    assert slow.statistics().skips == 1
    assert broadcast.statistics().dropped == 10


def test_a_gop_longer_than_the_queue_is_forgotten_whole() -> None:
    broadcast = Broadcast(H264)
    slow = broadcast.subscribe(lambda: None)
    publish(broadcast, 0, 101, gop=100)
    assert numbers(slow) == [100]
    assert slow.statistics().dropped == 52
    assert slow.statistics().skips == 1


def test_a_burst_that_is_not_taken_in_time_is_forgotten_first() -> None:
    broadcast = Broadcast(H264)
    publish(broadcast, 0, 190, gop=200)
    late = broadcast.subscribe(lambda: None, cached_gop=True)
    publish(broadcast, 190, 245, gop=200)
    assert numbers(late) == list(range(200, 245))
    assert late.statistics().dropped == 200


def test_media_time_that_stands_still_is_bounded_too() -> None:
    broadcast = Broadcast(H264)
    subscription = broadcast.subscribe(lambda: None)
    for _ in range(2000):
        broadcast.publish_nowait(MediaUnit(b"", True, 0, 0))
    assert subscription.statistics().queued == 512


def test_a_gop_too_large_is_not_kept() -> None:
    broadcast = Broadcast(H264)
    publish(broadcast, 0, CACHE_UNITS + 5, gop=10_000)
    assert broadcast.statistics().uncached_gops == 1
    assert broadcast.statistics().cached_units == 0
    assert numbers(broadcast.subscribe(lambda: None, cached_gop=True)) == []


def test_a_new_description_of_the_same_codec_holds_from_the_next_keyframe() -> None:
    broadcast = Broadcast(H264)
    subscription = broadcast.subscribe(lambda: None)
    publish(broadcast, 0, 3)
    larger = MediaDescription("h264", 1280, 720, 25.0, b"other")
    broadcast.publish_nowait(larger)
    publish(broadcast, 3, 11)
    taken = []
    while (item := subscription.take_nowait()) is not None:
        taken.append((item[1].pts_ns // FRAME_NS, item[0].width_px))
    assert taken == [(0, 640), (1, 640), (2, 640), (10, 1280)]
    assert subscription.ended == ""


def test_another_codec_ends_the_subscriptions() -> None:
    broadcast = Broadcast(H264)
    woken: list[int] = []
    subscription = broadcast.subscribe(lambda: woken.append(1))
    broadcast.publish_nowait(MediaDescription("mjpeg", 640, 360, 25.0))
    assert subscription.ended == "the codec changed from h264 to mjpeg"
    assert woken == [1]
    assert broadcast.statistics().subscribers == 0


def test_units_need_a_description_first() -> None:
    with pytest.raises(ValueError, match="before its description"):
        Broadcast().publish_nowait(unit(0))
