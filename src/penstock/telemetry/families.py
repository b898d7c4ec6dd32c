"""Gathers samples into metric families, so that exporters say each metric once, where its value is."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from penstock.base.clock import NS_PER_S
from penstock.telemetry.histogram import HistogramRecord, merged

AGE_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""of stages: close together around the budgets that people set"""
FAST_BOUNDS_S = (2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1.5e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1)
"""of decisions"""


class Families:
    """A sample given twice with the same labels is there once, with the later value."""

    def __init__(self) -> None:
        self._samples: dict[tuple[type, str], tuple[str, tuple[str, ...], dict[tuple[str, ...], object]]] = {}

    def gauge(self, name: str, text: str, labels: Mapping[str, str], value: float) -> None:
        self._add(GaugeMetricFamily, name, text, labels, float(value))

    def counter(self, name: str, text: str, labels: Mapping[str, str], value: float) -> None:
        """`name` without `_total`."""
        self._add(CounterMetricFamily, name, text, labels, float(value))

    def histogram(
        self, name: str, text: str, labels: Mapping[str, str], record: HistogramRecord, *, fast: bool = False
    ) -> None:
        """Buckets are exact within 1.6 % of their bound."""
        self._add(HistogramMetricFamily, name, text, labels, (record, FAST_BOUNDS_S if fast else AGE_BOUNDS_S))

    def metrics(self) -> Iterable[Metric]:
        for (kind, name), (text, label_names, samples) in self._samples.items():
            if kind is HistogramMetricFamily:
                yield _histogram(name, text, label_names, samples)
                continue
            family = kind(f"penstock_{name}", text, labels=label_names)
            for labels, value in samples.items():
                family.add_metric(labels, value)
            yield family

    def _add(self, kind: type, name: str, text: str, labels: Mapping[str, str], value: object) -> None:
        _, label_names, samples = self._samples.setdefault((kind, name), (text, tuple(labels), {}))
        samples[tuple(labels[label] for label in label_names)] = value


def _histogram(
    name: str, text: str, label_names: tuple[str, ...], samples: dict[tuple[str, ...], object]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"penstock_{name}", text, labels=label_names)
    for labels, value in samples.items():
        assert isinstance(value, tuple)
        record, bounds_s = value
        histogram = merged([record])
        counts = histogram.cumulative([round(bound_s * NS_PER_S) for bound_s in bounds_s])
        buckets = [(repr(bound_s), count) for bound_s, count in zip(bounds_s, counts, strict=True)]
        family.add_metric(labels, [*buckets, ("+Inf", record.count)], record.sum_ns / NS_PER_S)
    return family
