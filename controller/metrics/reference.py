"""The reference page of the metrics, made from the catalogue.

python -m controller.metrics.reference > docs/reference/metrics.md
"""

import sys

from controller.metrics.catalogue import CONTROL, LABELS, SITE_LABELS, WEB, Metric

INTRO = """\
# Metrics

Two targets, each a process of its own: **control** (default `127.0.0.1:8801/metrics`, no login, so keep it on a private
network) and **web** (`/metrics` on the console's port, role viewer: give Prometheus a token). Names are in base units; what the
plant measures is in its own unit, which is the label `unit`. All
values of a label are known when a process starts, so every series exists at zero from then on; no decision, person or address
becomes a label. Both targets also have the usual `process_*` metrics.

Generated from `controller/metrics/catalogue.py` by `python -m controller.metrics.reference`; do not edit.
"""


def render() -> str:
    """The page."""
    parts = [INTRO, "## Control target\n", _table(CONTROL), "## Web target\n", _table(WEB), "## Labels\n", _labels()]
    return "\n".join(parts)


def _table(metrics: tuple[Metric, ...]) -> str:
    head = "| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
    rows = [
        f"| `{m.name}` | {m.kind} | {m.unit} | {', '.join(f'`{label}`' for label in m.labels) or '–'} | {m.help} |"
        for m in metrics
    ]
    return head + "\n".join(rows) + "\n"


def _labels() -> str:
    head = "| label | values |\n|---|---|\n"
    rows = [f"| `{name}` | {', '.join(f'`{value}`' for value in values)} |" for name, values in sorted(LABELS.items())]
    rows += [f"| `{name}` | the site's own |" for name in SITE_LABELS]
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
