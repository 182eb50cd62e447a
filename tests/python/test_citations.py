"""What src/ cites of PyTorch's and Keras's own sources is there: a rename of ours must not reach into theirs."""

import re
from importlib.util import find_spec
from pathlib import Path

from program import ROOT

CITED = re.compile(r"(?<![\w/.])((keras)/src/[\w/]+\.py|(torch)/[\w/]+\.py)\b")


def test_sources_that_are_cited_exist():
    packages = {name: Path(find_spec(name).origin).parent.parent for name in ("keras", "torch")}
    cited = {}
    for path in sorted(ROOT.glob("src/**/*.*")):
        for source, *names in CITED.findall(path.read_text()):
            cited.setdefault((next(filter(None, names)), source), path.relative_to(ROOT))
    assert len(cited) > 50
    missing = [f"{path}: {source}" for (package, source), path in cited.items() if not (packages[package] / source).is_file()]
    assert not missing, missing
