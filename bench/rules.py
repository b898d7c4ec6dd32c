"""One result through the rules of a camera: signals stated, three rules evaluated, decisions made."""

import time

from bench import scripted
from bench.records import Benchmark, Context, Effort, Series, Taken
from bench.stopwatch import overhead_us
from penstock.contracts.messages import CameraState
from penstock.contracts.results import Result
from penstock.contracts.times import ClockReading
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import CameraStateInput, ClockInput, ConfigInput, ResultInput, TickInput
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

NS_PER_S = 1_000_000_000
CAMERA, LANE = "camera-0", "camera-0/people"
STEP_NS, VALIDITY_NS = 200_000_000, 900_000_000
VARIANTS = {
    "3 rules, nobody": (3, 0),
    "3 rules, 5 people": (3, 5),
    "3 rules, 20 people": (3, 20),
    "no rules, 5 people": (0, 5),
}


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    del context
    rules, people = VARIANTS[variant]
    evaluator = RuleEvaluator()
    vocabulary = Vocabulary((scripted.GATE_ZONE,), (LaneVocabulary(LANE, scripted.CLASS_NAMES),))
    evaluator.take(ConfigInput(scripted.RULES[:rules], {CAMERA: vocabulary}))
    evaluator.take(ClockInput(ClockReading("simulated", 0, 1_700_000_000 * NS_PER_S)))
    evaluator.take(CameraStateInput(CAMERA, CameraState.UP, scripted.SESSION, 0))
    found = scripted.detections(scripted.PERSON, people)
    samples: dict[str, list[float]] = {"result": [], "tick": []}
    decided = 0
    clock = time.perf_counter_ns
    for number in range(1, effort.pick(20_000, 4_000)):
        at_ns = number * STEP_NS
        # Events open and end: everybody is there for three seconds, then nobody for three.
        boxes = found if at_ns // (3 * NS_PER_S) % 2 == 0 else scripted.ONE_CAR
        frame = scripted.frame(CAMERA, number, at_ns)
        given = ResultInput(CAMERA, LANE, Result(scripted.MODEL, "0" * 64, frame, boxes), VALIDITY_NS)
        began = clock()
        decided += len(evaluator.take(given))
        samples["result"].append((clock() - began) / 1000)
        tick = TickInput(CAMERA, at_ns + 100_000_000)
        began = clock()
        decided += len(evaluator.take(tick))
        samples["tick"].append((clock() - began) / 1000)
    series = {name: Series("µs", one[100:]) for name, one in samples.items()}
    return Taken(series, {"decisions": decided, "clock_overhead_us": overhead_us()})


BENCHMARK = Benchmark(
    name="rules",
    title="one result through a camera's rules",
    variants=tuple(VARIANTS),
    measure=measure,
    rounds=5,
    quick_rounds=2,
)
