"""Lets the configuration ask the rule language whether its rules can work, before anything is started."""

from penstock.config.crosscheck import RuleProblem, RuleQuestion
from penstock.contracts.specs import RuleSpec, ZoneSpec
from penstock.rules.compiler import compile_forms
from penstock.rules.errors import RuleError
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary


def check_rule(question: RuleQuestion) -> list[RuleProblem]:
    """What is wrong with one rule on one camera: its first error, with its place in the text.

    Classes of models that the configuration does not name are only known once the model is loaded; until then any
    name may be one of them.
    """
    vocabulary = Vocabulary(
        zones=tuple(ZoneSpec(name, points) for name, points in question.zones),
        lanes=tuple(
            LaneVocabulary(
                f"{question.camera}/{model.name}",
                model.classes or (),
                model.signals,
                complete=model.classes is not None,
                shadow=model.shadow,
            )
            for model in question.models
        ),
        in_file=question.in_file,
    )
    try:
        compile_forms(RuleSpec(question.rule, question.when), question.camera, vocabulary)
    except RuleError as error:
        start = sum(len(line) + 1 for line in question.when.split("\n")[: error.line - 1])
        advice = error.advice.rstrip(".")
        return [RuleProblem(error.what, advice[:1].lower() + advice[1:], start + error.column - 1)]
    return []
