"""`penstock schema`: the configuration's schema for editors, or its reference page."""

import json
import sys

from penstock.config.reference import json_schema, reference_markdown


def schema_command(*, markdown: bool) -> int:
    sys.stdout.write(reference_markdown() if markdown else json.dumps(json_schema(), indent=2) + "\n")
    return 0
