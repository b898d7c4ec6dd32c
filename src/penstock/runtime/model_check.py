"""Lets the configuration ask about its models before anything is started: device, head, classes, a plugin's class.

Networks are not loaded: names and shapes are read from the file, and a plugin's file is parsed and never run. What only
a loaded model can tell (shapes that the file leaves open, packages that have to be imported) is left to the run.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from penstock.config.crosscheck import plugin_file
from penstock.config.model_questions import ModelAnswer, ModelProblem, ModelQuestion
from penstock.config.problems import closest
from penstock.contracts.specs import ModelSpec
from penstock.models.backends.backend import TensorInfo, settle_picture
from penstock.models.class_names import class_ids, names_for
from penstock.models.errors import ModelError
from penstock.models.heads.catalogue import AUTO, HEADS, choose_head
from penstock.models.heads.head import AnomalyDecoder, BoxDecoder, HeadSpec
from penstock.models.loading import choose_backend
from penstock.models.onnx_summary import OnnxSummary, read_summary


def check_model(question: ModelQuestion) -> ModelAnswer:
    """What is wrong with one model, and what a rule can say of it; an empty path or plugin is not looked at."""
    if question.kind == "python":
        return ModelAnswer(tuple(_plugin_problems(question.plugin)))
    if question.kind != "onnx":
        return ModelAnswer()
    problems = [*_device_problems(question)]
    heads = [AUTO, *(head.name for head in HEADS)]
    if question.head not in heads:
        problems.append(ModelProblem("head", f"there is no head {question.head!r}", closest(question.head, heads)))
        return ModelAnswer(tuple(problems))
    head = _head_of(question)
    if head is None:
        return ModelAnswer(tuple(problems))
    key = "class_names"
    try:
        names = names_for(head.class_count, question.class_names, head.class_names)
        key = "labels"
        wanted = class_ids(question.labels, names)
    except ModelError as error:
        advice = error.advice[:1].lower() + error.advice[1:]
        return ModelAnswer((*problems, ModelProblem(key, error.what, advice)))
    stated = tuple(names[i] for i in wanted) or names
    match head.decoder:
        case BoxDecoder():
            return ModelAnswer(tuple(problems), classes=stated, boxes=True)
        case AnomalyDecoder():
            return ModelAnswer(tuple(problems), boxes=False)
        case _:
            return ModelAnswer(tuple(problems), classes=stated, signals=stated, boxes=False)


def _device_problems(question: ModelQuestion) -> Iterator[ModelProblem]:
    if question.device == "cpu":
        return  # every backend has it, and none need be loaded to know
    spec = ModelSpec(name="model", path=question.path, backend=question.backend)
    try:
        devices = choose_backend(spec).devices
    except ModelError:
        return  # told by itself: the file or the backend is not there
    if question.device not in devices:
        known = ", ".join(devices)
        yield ModelProblem("device", f"device {question.device!r} is not available", f"known devices: {known}")


def _head_of(question: ModelQuestion) -> HeadSpec | None:
    """What reads the file's outputs; None where the file alone does not tell, or is not to be read."""
    path = Path(question.path)
    if not question.path or path.suffix != ".onnx" or not path.is_file():
        return None
    try:
        file = read_summary(path)
        outputs = tuple(_with_batch_of_one(info) for info in file.outputs)
        if any(None in info.shape or not info.shape for info in outputs):
            return None
        picture = settle_picture(path, _picture_inputs(file), file.metadata)
        return choose_head(question.head, picture, outputs, file.metadata, dict(question.options))
    except (ModelError, OSError):
        return None


def _picture_inputs(file: OnnxSummary) -> tuple[TensorInfo, ...]:
    return tuple(_with_batch_of_one(info) for info in file.inputs)


def _with_batch_of_one(info: TensorInfo) -> TensorInfo:
    return TensorInfo(info.name, (1, *info.shape[1:]), info.dtype) if info.shape[:1] == (None,) else info


def _plugin_problems(plugin: str) -> Iterator[ModelProblem]:
    file, class_name = plugin_file(plugin), plugin.rpartition(":")[2]
    if not file or not Path(file).is_file():
        return
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, ValueError):
        return  # the right to read it is asked for elsewhere
    except SyntaxError as error:
        what = f"{file}, line {error.lineno}: {error.msg}"
        yield ModelProblem("plugin", what, "correct it; the file must be Python")
        return
    classes, others = _names_in(tree)
    if class_name not in classes and class_name not in others and "*" not in others:
        advice = closest(class_name, classes) if classes else "there is no class in it"
        yield ModelProblem("plugin", f"there is no class {class_name!r} in {file}", advice)


def _names_in(tree: ast.Module) -> tuple[list[str], set[str]]:
    """Its classes, and all other names that could stand for one: imported, or assigned."""
    classes: list[str] = []
    others: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                classes.append(node.name)
            case ast.alias():
                others.add(node.asname or node.name.partition(".")[0])
            case ast.Name(ctx=ast.Store()):
                others.add(node.id)
    return classes, others
