"""People's own classes: found, asked what they state, called, and told what is wrong with their answers."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from penstock.contracts.frames import Affine, Fit, PixelFormat, ViewSpec
from penstock.contracts.results import Classification, Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import FailureCause
from penstock.models.errors import ModelError
from penstock.models.loading import load_model
from penstock.testkit.views import ArrayViews, frame_ref

HEADER = """
import numpy as np
from types import SimpleNamespace
class Model:
    view = {"width": 64, "height": 36, "format": "rgb24"}
    class_names = ("lamp", "door")
    picture_classes = ("day", "night")
    signals = ("brightness",)

    def __init__(self, answer=None):
        self.answer = answer
"""


def spec_of(tmp_path: Path, code: str, **changes: Any) -> ModelSpec:
    file = tmp_path / "mine.py"
    file.write_text(code, encoding="utf-8")
    return msgspec.structs.replace(ModelSpec("mine", kind="python", plugin=f"{file}:Model"), **changes)


def run(spec: ModelSpec, pixels: Any = None) -> Result:
    """On a frame ten times the size of the view."""
    model = load_model(spec, 1)
    asked = model.description.view
    if pixels is None:
        pixels = np.full((asked.height_px, asked.width_px, 3), 51, np.uint8)
    pixels.flags.writeable = False
    frame = frame_ref("yard", 7, 5_000, 640, 360, session=3)
    view = ArrayViews().make(frame, pixels, asked, Affine(10.0, 10.0, 0.0, 0.0))
    return model.run(0, view, pixels)


def answering(tmp_path: Path, expression: str, **changes: Any) -> Result:
    return run(
        spec_of(
            tmp_path, f"{HEADER}\n    def predict(self, picture, context):\n        return {expression}\n", **changes
        )
    )


def test_what_it_states(tmp_path: Path) -> None:
    description = load_model(
        spec_of(tmp_path, HEADER + "\n    def predict(self, picture, context): ..."), 1
    ).description
    assert description.view == ViewSpec(64, 36, PixelFormat.RGB24, Fit.STRETCH)
    assert (description.head, description.class_names) == ("python", ("lamp", "door"))
    assert (description.signals, description.picture_classes) == (("brightness",), ("day", "night"))
    assert len(description.weight_hash) == 64


def test_the_least_a_class_can_say(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "class Model:\n    def predict(self, picture, context):\n        return None\n")
    description = load_model(spec, 1).description
    assert description.view == ViewSpec(640, 360, PixelFormat.RGB24, Fit.STRETCH)
    assert (description.class_names, description.signals) == ((), ())
    result = run(spec)
    assert (result.detections, result.classifications, result.scalars) == (None, (), {})


@pytest.mark.parametrize(
    "expression",
    [
        "[((1, 2, 30, 20), 0.75, 'door'), ((1, 2, 5, 6), 0.5, 0)]",
        "{'detections': [([1, 2, 30, 20], 0.75, 1), (np.array([1, 2, 5, 6]), np.float32(0.5), np.int64(0))]}",
        "{'xyxy': [[1, 2, 5, 6], [1, 2, 30, 20]], 'confidence': [0.5, 0.75], 'class_id': [0, 1]}",
        (
            "{'detections': {'xyxy': np.array([[1, 2, 30, 20], [1, 2, 5, 6]], np.float32), "
            "'confidence': np.array([0.75, 0.5]), 'class_id': np.array([1, 0])}}"
        ),
        (
            "SimpleNamespace(xyxy=np.array([[1., 2, 30, 20], [1, 2, 5, 6]]), "
            "confidence=np.array([0.75, 0.5]), class_id=np.array([1, 0]), mask=None, tracker_id=None)"
        ),
    ],
    ids=["list", "list in a dictionary", "arrays", "arrays in a dictionary", "supervision's object"],
)
def test_boxes_in_every_form_reach_the_frame_best_first(tmp_path: Path, expression: str) -> None:
    found = answering(tmp_path, expression).detections
    assert found is not None
    boxes = [(d.xyxy, d.confidence, d.class_name) for d in found.detections()]
    assert boxes == [((10, 20, 300, 200), 0.75, "door"), ((10, 20, 50, 60), 0.5, "lamp")]


def test_boxes_are_chosen_as_the_configuration_says_and_never_suppressed(tmp_path: Path) -> None:
    boxes = "[((1, 2, 5, 6), 0.5, 'lamp'), ((1, 2, 5, 6), 0.75, 'lamp'), ((1, 2, 5, 6), 0.9, 'door')]"
    for changes, expected in (
        ({}, [0.9, 0.75, 0.5]),
        ({"confidence": 0.75}, [0.9, 0.75]),
        ({"labels": ("lamp",)}, [0.75, 0.5]),
        ({"max_detections": 1}, [0.9]),
    ):
        found = answering(tmp_path, boxes, **changes).detections
        assert found is not None
        assert [d.confidence for d in found.detections()] == pytest.approx(expected)


@pytest.mark.parametrize(
    "expression", ["[]", "{'detections': []}", "{'xyxy': np.zeros((0, 4)), 'confidence': [], 'class_id': []}"]
)
def test_nothing_found_is_an_answer(tmp_path: Path, expression: str) -> None:
    found = answering(tmp_path, expression).detections
    assert found is not None
    assert len(found) == 0


def test_scalars_and_classes(tmp_path: Path) -> None:
    answer = "{'scalars': {'brightness': np.mean(picture) / 255}, 'classifications': [('night', 0.25), (0, 0.75)]}"
    result = answering(tmp_path, answer)
    assert result.detections is None
    assert result.scalars == pytest.approx({"brightness": 0.2})
    assert result.classifications == (Classification(0, "day", 0.75), Classification(1, "night", 0.25))
    assert answering(tmp_path, answer, top_k=1).classifications == result.classifications[:1]
    truth = answering(tmp_path, "{'scalars': {'brightness': picture.max() > 50}}")
    assert truth.scalars == {"brightness": 1.0}


def test_the_context_says_which_picture_it_is(tmp_path: Path) -> None:
    code = """
class Model:
    signals = ("sum",)
    def predict(self, picture, context):
        assert context.camera == "yard"
        assert (context.session, context.seq, context.capture_ns) == (3, 7, 5_000)
        assert (context.width_px, context.height_px) == (640, 360)
        picture[:] = 1
        return {"scalars": {"sum": int(picture.sum())}}
"""
    pixels = np.zeros((360, 640, 3), np.uint8)
    assert run(spec_of(tmp_path, code), pixels).scalars == {"sum": 640 * 360 * 3}
    assert not pixels.any(), "what it writes into the picture stays its own"


def test_parameters_and_a_constructor_that_decides(tmp_path: Path) -> None:
    code = """
class Model:
    def __init__(self, side, names="a"):
        self.view = {"width": int(side), "height": 20, "format": "gray8", "fit": "letterbox_centre", "pad": 0}
        self.class_names = names.split()
    def predict(self, picture, context):
        assert picture.shape == (20, 40)
        return []
"""
    spec = spec_of(tmp_path, code, parameters={"side": 40.0, "names": "x y"})
    model = load_model(spec, 1)
    assert model.description.view == ViewSpec(40, 20, PixelFormat.GRAY8, Fit.LETTERBOX_CENTRE, 0)
    assert model.description.class_names == ("x", "y")
    assert run(spec, np.zeros((20, 40), np.uint8)).detections is not None
    assert load_model(msgspec.structs.replace(spec, class_names=("p", "q")), 1).description.class_names == ("p", "q")


def test_a_file_finds_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "penstock_test_beside.py").write_text("NAMES = ('found',)\n", encoding="utf-8")
    code = (
        "import penstock_test_beside\n"
        "class Model:\n"
        "    class_names = penstock_test_beside.NAMES\n"
        "    def predict(self, p, c): ..."
    )
    assert load_model(spec_of(tmp_path, code), 1).description.class_names == ("found",)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "penstock_test_installed.py").write_text(code, encoding="utf-8")
    spec = ModelSpec("mine", kind="python", plugin="penstock_test_installed:Model")
    assert load_model(spec, 1).description.class_names == ("found",)


@pytest.mark.parametrize(
    ("code", "changes", "parts"),
    [
        pytest.param("", {"plugin": "mine.py"}, ["plugin is 'mine.py'", "file.py:Class"], id="no class"),
        pytest.param("", {"plugin": "/nowhere/x.py:Model"}, ["there is no file /nowhere/x.py"], id="no file"),
        pytest.param("", {"plugin": "no.such:Model"}, ["no module 'no.such'", "Install its package"], id="no module"),
        pytest.param("class Other: ...", {}, ["there is no class 'Model'", "Classes there: Other"], id="other class"),
        pytest.param("x = = 1", {}, ["importing it raised SyntaxError", "in line 1"], id="syntax"),
        pytest.param("\n1 / 0", {}, ["importing it raised ZeroDivisionError", "in line 2"], id="import raises"),
        pytest.param("import no_such_thing", {}, ["Install what it needs: no_such_thing"], id="import missing"),
        pytest.param(
            "class Model: ...", {}, ["has no method predict", "def predict(self, picture, context)"], id="no predict"
        ),
        pytest.param(
            "class Model:\n    def predict(self, picture): ...",
            {},
            ["cannot be called with a picture"],
            id="one argument",
        ),
        pytest.param(
            "class Model:\n    def __init__(self, a): ...\n    def predict(self, p, c): ...",
            {"parameters": {"b": 1.0}},
            ["its constructor raised TypeError", "'b'", "Parameters given: b"],
            id="parameters",
        ),
        pytest.param(
            "class Model:\n    def __init__(self):\n        raise OSError('no weights')",
            {},
            ["its constructor raised OSError: no weights (mine.py, line 3)", "Parameters given: none"],
            id="constructor",
        ),
        pytest.param(
            "class Model:\n    class_names = 'lamp'\n    def predict(self, p, c): ...",
            {},
            ["a list of names"],
            id="names",
        ),
        pytest.param(
            "class Model:\n    signals = [1]\n    def predict(self, p, c): ...", {}, ["signals is [1]"], id="signals"
        ),
        pytest.param("class Model:\n    view = 3\n    def predict(self, p, c): ...", {}, ["view is 3"], id="view"),
        pytest.param(
            "class Model:\n    view = {'widht': 3}\n    def predict(self, p, c): ...",
            {},
            ["a key 'widht'", "width"],
            id="view key",
        ),
        pytest.param(
            "class Model:\n    view = {'format': 'yuv'}\n    def predict(self, p, c): ...",
            {},
            ["view's format is 'yuv'", "bgr24, rgb24, gray8"],
            id="format",
        ),
        pytest.param(
            "class Model:\n    view = {'width': 0}\n    def predict(self, p, c): ...",
            {},
            ["from 1 to 8192"],
            id="width",
        ),
        pytest.param(
            "class Model:\n    view = {'width': 3840, 'height': 2160}\n    def predict(self, p, c): ...",
            {},
            ["asks for 3840×2160", "1920×1080 at most"],
            id="too large",
        ),
        pytest.param(
            HEADER + "    def predict(self, p, c): ...", {"labels": ("lmp",)}, ["Did you mean 'lamp'?"], id="labels"
        ),
        pytest.param(
            HEADER + "    def predict(self, p, c): ...", {"options": {"a": 1.0}}, ["under `parameters`"], id="options"
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, code: str, changes: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(spec_of(tmp_path, code, **changes), 1)
    assert caught.value.cause is FailureCause.LOAD_FAILED
    for part in ["model mine: ", *parts]:
        assert part in str(caught.value)


def test_it_runs_on_one_stream_unless_it_says_that_it_may_on_several(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="its executor has 2 streams, and nothing says"):
        load_model(spec_of(tmp_path, HEADER), 2)


@pytest.mark.parametrize(
    ("expression", "what", "advice"),
    [
        ("3", "gave 3 as detections", "Return a dictionary with `detections`"),
        ("'lamp'", "gave 'lamp' as detections", "Return a dictionary"),
        ("{'boxes': []}", "a dictionary with a key 'boxes'", "`detections`"),
        ("[(1, 2, 3, 4)]", "gave (1, 2, 3, 4) as one detection", "((left, top, right, bottom), confidence, class)"),
        ("[((1, 2, 3), 0.5, 0)]", "boxes of shape (1, 3)", "four numbers per box"),
        ("[((1, 2, 3, 'x'), 0.5, 0)]", "xyxy that are no numbers", ""),
        ("[((1, 2, float('nan'), 4), 0.5, 0)]", "xyxy that are not finite", "no NaN"),
        ("[((1, 2, 1e39, 4), 0.5, 0)]", "xyxy that are not finite", "no NaN"),
        ("[((1, 2, 3, 4), float('nan'), 0)]", "confidence that are not finite", "no NaN"),
        ("[((1, 2, 3, 4), 1.5, 0)]", "a confidence of 1.5", "between 0 and 1"),
        ("[((30, 2, 3, 4), 0.5, 0)]", "right or lower edge comes before", "not a width and a height"),
        ("[((1, 2, 3, 4), 0.5, 2)]", "gave a class 2", "lamp, door"),
        ("[((1, 2, 3, 4), 0.5, 'lmp')]", "gave a class 'lmp'", "lamp, door"),
        ("[((1, 2, 3, 4), 0.5, True)]", "gave a class True", "lamp, door"),
        ("{'xyxy': [[1, 2, 3, 4]], 'confidence': [], 'class_id': [0]}", "confidence of shape (0,)", "Return 1 numbers"),
        ("{'xyxy': [[1, 2, 3, 4]], 'confidence': [1], 'class_id': None}", "without class_id", "a class id per box"),
        ("{'xyxy': [[1, 2, 3, 4]], 'confidence': [1], 'class_id': [0.5]}", "no whole numbers", "integers"),
        ("{'xyxy': [[1, 2, 3, 4]], 'confidence': [1], 'class_id': [9]}", "gave a class 9", "its index: lamp, door"),
        ("{'scalars': 3}", "gave 3 as scalars", "{name: number}"),
        ("{'scalars': {'heat': 3}}", "gave a scalar 'heat'", "which are: brightness"),
        ("{'scalars': {'brightness': float('inf')}}", "gave inf as scalar 'brightness'", "a finite number"),
        ("{'scalars': {'brightness': 'much'}}", "gave 'much' as scalar 'brightness'", "a finite number"),
        ("{'classifications': {'day': 1}}", "gave {'day': 1} as classifications", "(class, probability)"),
        ("{'classifications': ['day']}", "gave 'day' as one classification", "(class, probability)"),
        ("{'classifications': [('dusk', 1)]}", "gave a class 'dusk'", "`picture_classes`, or its index: day, night"),
        ("{'classifications': [('day', 2)]}", "a probability of 2", "between 0 and 1"),
    ],
)
def test_an_answer_that_is_none_is_a_bad_output(tmp_path: Path, expression: str, what: str, advice: str) -> None:
    with pytest.raises(ModelError) as caught:
        answering(tmp_path, expression)
    assert caught.value.cause is FailureCause.BAD_OUTPUT
    assert f"plugin {tmp_path}/mine.py:Model: predict " in str(caught.value)
    assert what in str(caught.value)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise ValueError('no lamp')", "predict raised ValueError: no lamp (mine.py, line 13)"),
        ("raise SystemExit(3)", "predict raised SystemExit: 3 (mine.py, line 13)"),
    ],
)
def test_what_it_raises_is_named_with_its_place(tmp_path: Path, statement: str, said: str) -> None:
    code = f"{HEADER}    def predict(self, picture, context):\n        {statement}\n"
    with pytest.raises(ModelError) as caught:
        run(spec_of(tmp_path, code))
    assert caught.value.cause is FailureCause.RAISED
    assert said in str(caught.value)


def test_memory_that_ran_out_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        run(spec_of(tmp_path, f"{HEADER}    def predict(self, picture, context):\n        raise MemoryError\n"))


def test_names_are_shown_short(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        answering(tmp_path, "'x' * 5000")
    assert len(str(caught.value)) < 600
