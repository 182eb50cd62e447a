"""examples/ci: what the workflow and the hook of pre-commit run does what they are there for."""

import os
import re
import shlex
import subprocess
import textwrap

import h5py
import pytest

from digits import SOURCES
from program import PROGRAM, ROOT, h5bridge, needs_libtorch, needs_program, run_program

pytestmark = [needs_program, needs_libtorch]
EXAMPLES = ROOT / "examples" / "ci"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Models beside a clone of h5bridge: one computes what its reference says, one has another weight since."""
    folder = tmp_path_factory.mktemp("ci")
    (folder / "mine/models").mkdir(parents=True)
    (folder / "h5bridge").symlink_to(ROOT)
    models = folder / "mine/models"
    run_program("convert", *SOURCES, "-o", models / "good.h5", "-o", models / "good.keras", "--reference", 2)
    (folder / "bad.h5").write_bytes((models / "good.h5").read_bytes())
    with h5py.File(folder / "bad.h5", "r+") as file:
        bias = file["model_weights/fc2/fc2/bias"]
        bias[...] = bias[()] + 1
    h5bridge("convert", folder / "bad.h5", "-o", folder / "bad.keras")
    return folder


def test_the_hook_stops_a_model_that_computes_otherwise(repository):
    hook = (EXAMPLES / "pre-commit-config.yaml").read_text()
    entry, files = (re.search(rf"^ +{key}: (.*)$", hook, re.M)[1] for key in ("entry", "files"))
    assert re.search(files, "models/good.h5") and re.search(files, "models/a/b.keras") and not re.search(files, "models/good.pth")
    environment = os.environ | {"PATH": os.pathsep.join([str(PROGRAM.parent), os.environ["PATH"]])}
    for names, status in ((["mine/models/good.h5", "mine/models/good.keras"], 0), (["mine/models/good.h5", "bad.h5"], 1)):
        done = subprocess.run([*shlex.split(entry), *names], cwd=repository, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.skipif(PROGRAM.parent != ROOT / "build", reason="the workflow's build is the one in build/")
def test_the_workflow_fails_with_a_model_that_computes_otherwise(repository):
    workflow = (EXAMPLES / "workflow.yml").read_text()
    script = textwrap.dedent(re.search(r"^ +- run: \|\n((?: {10,}.*\n)+)", workflow, re.M)[1])
    assert "verify" in script and re.search(r"tools/build ([\w ]+)$", workflow, re.M)[1].split() == ["h5bridge_program", "h5bridge_torch"]
    for bad in (False, True):
        if bad:
            (repository / "mine/models/bad.keras").write_bytes((repository / "bad.keras").read_bytes())
        # As GitHub's runners start it.
        done = subprocess.run(["bash", "-e", "-c", script], cwd=repository / "mine", capture_output=True, text=True)
        assert done.returncode == int(bad), done.stdout + done.stderr
