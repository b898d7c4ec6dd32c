"""Which units of a session no other picture refers to, where pictures lie in temporal layers.

H.265 (7.4.2.2) marks a picture that none of its own layer refers to; those of higher layers may. So only the marked
pictures of the highest layer that the session has shown are disposable. H.264 marks what nobody refers to at all.
"""

from penstock.sources import nal_units


class TemporalLayers:
    """One session."""

    def __init__(self) -> None:
        self._highest = 0

    def is_disposable(self, codec: str, data: bytes, length_bytes: int = 0) -> bool:
        """Whether the access unit in `data` may be left out; False where the codec does not say so cheaply."""
        if codec != "hevc":
            return nal_units.is_disposable(codec, data, length_bytes)
        layer = nal_units.temporal_layer(data, length_bytes)
        self._highest = max(self._highest, layer)
        return layer == self._highest and nal_units.is_disposable(codec, data, length_bytes)
