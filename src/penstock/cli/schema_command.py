"""`penstock schema`: the configuration's schema for editors, or its reference page."""

import json
import sys
from pathlib import Path

from penstock.config.json_schema import json_schema
from penstock.config.reference import reference_markdown


def schema_command(*, markdown: bool, output: Path | None = None) -> int:
    """Writes to `output`, or to standard output; raises OSError where the file cannot be written."""
    text = reference_markdown() if markdown else json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return 0
    output.write_text(text, encoding="utf-8")
    if not markdown:
        print(f"{output}: written. Begin a configuration with: # yaml-language-server: $schema={output.name}")
    return 0
