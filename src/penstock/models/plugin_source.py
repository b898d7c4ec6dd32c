"""Where a user's class lies, and what of it can go wrong before it sees a picture.

`package.module:Class` is imported as usual; `file.py:Class` is run from its file under a name of its own, and finds
modules beside it after all that are installed.
"""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.contracts.work import FailureCause
from penstock.models.errors import ModelError, load_error, output_error

_FORM = "Write `plugin: file.py:Class` or `plugin: package.module:Class`"


@dataclass(frozen=True, slots=True)
class PluginSource:
    """A user's class, its name as the configuration has it, and the text of its file."""

    name: str
    made_by: Any
    text: bytes

    def make(self, parameters: Mapping[str, object]) -> Any:
        """An object of the class; raises ModelError where its constructor does."""
        try:
            return self.made_by(**parameters)
        except BaseException as error:
            given = ", ".join(parameters) or "none"
            told = self.raised("its constructor", error)
            raise load_error(told.what, f"Parameters given: {given}") from error

    def names(self, made: object, attribute: str) -> tuple[str, ...]:
        """A list of names that the object states; none where it has no such attribute."""
        value = getattr(made, attribute, ())
        listed = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else None
        if listed is None or not all(isinstance(name, str) and name for name in listed):
            raise self.fault(f"{attribute} is {value!r}", f'Write a list of names, such as `{attribute} = ("lamp",)`')
        return listed

    def fault(self, what: str, advice: str) -> ModelError:
        """The class cannot be used."""
        return load_error(f"plugin {self.name}: {what}", advice)

    def nonsense(self, what: str, advice: str) -> ModelError:
        """`predict` gave an answer that is none."""
        return output_error(f"plugin {self.name}: predict {what}", advice)

    def raised(self, method: str, error: BaseException) -> ModelError:
        """What a method raised, and the last line of the user's code on the way there."""
        frames = traceback.extract_tb(error.__traceback__)
        # The first frame is of whoever called; where there is no other, the call itself did not fit.
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if len(frames) > 1 else ""
        return ModelError(
            FailureCause.RAISED, f"plugin {self.name}: {method} raised {type(error).__name__}: {error}{place}"
        )


def find_plugin(name: str) -> PluginSource:
    """The class called `name`; raises ModelError (`load_failed`)."""
    where, separator, class_name = name.rpartition(":")
    if not separator or not where or not class_name.isidentifier():
        raise load_error(f"plugin is {name!r}", _FORM)
    module = _from_file(Path(where), name) if where.endswith(".py") else _installed(where, name)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type) and not key.startswith("_")]
        raise load_error(
            f"plugin {name}: there is no class {class_name!r} in {where}",
            f"Classes there: {', '.join(classes)}" if classes else _FORM,
        )
    file = getattr(module, "__file__", None)
    text = Path(file).read_bytes() if file and Path(file).is_file() else name.encode()
    return PluginSource(name, found, text)


def _from_file(file: Path, name: str) -> ModuleType:
    if not file.is_file():
        raise load_error(f"plugin {name}: there is no file {file}", "Check the path")
    folder = str(file.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    key = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(f"penstock_plugin_{key}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[spec.name]
        raise _not_imported(name, error, str(file)) from error
    return module


def _installed(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise load_error(
                f"plugin {name}: there is no module {module!r}",
                "Install its package beside penstock, or name its file: `plugin: file.py:Class`",
            ) from error
        raise _not_imported(name, error, "") from error
    except BaseException as error:
        raise _not_imported(name, error, "") from error


def _not_imported(name: str, error: BaseException, file: str) -> ModelError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    place = f" in line {lines[-1]}" if lines and lines[-1] else ""
    advice = f"Install what it needs: {error.name}" if isinstance(error, ModuleNotFoundError) else "Mend its code"
    return load_error(f"plugin {name}: importing it raised {type(error).__name__}: {error}{place}", advice)
