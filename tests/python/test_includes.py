"""Who may include whom: the rooms of src/, with python/, and the arrows between them, which never point back."""

import re
from functools import cache

import pytest

from program import ROOT

SRC = ROOT / "src"
PUBLIC = "h5bridge"  # the public headers, which everybody may include

# A room may include those that it points at, and whatever they may include.
ARROWS = {
    "cli": {"convert"},
    "python": {"convert"},
    "convert": {"keras", "picture", "pytorch", "runner"},
    "keras": {"optimizers", "passes", "files"},
    "pytorch": {"optimizers", "passes", "files"},
    "picture": {"passes"},
    "runner": {"optimizers", "passes", "files"},
    "runtime": {"optimizers", "passes", "layers", "facets", "runner"},
    "optimizers": {"layers"},
    "passes": {"layers"},
    "layers": {"facets"},
    "facets": {"model"},
    "files": {"model"},
    "model": set(),
    PUBLIC: set(),
}

# The same within src/facets/, and among a family's files, which are named after the facets.
FACETS = {"spec": {"spec"}, "keras": {"spec", "keras"}, "aten": {"spec", "aten"}, "libtorch": {"spec", "libtorch"},
          "torch_source": {"spec", "torch_source"}}

# The header of the whole library is for those who are above reading and writing; others include what they use of it.
FACADE = "h5bridge/h5bridge.h"
ABOVE = {"convert", "cli", "python"}

# What is to be included behind a wrapper alone: by the beginning of a header's name, the files that may.
LIBTORCH = r"runtime/.*|layers/(\w+/)?libtorch\w*\.(cpp|h)|optimizers/\w+/libtorch\.cpp|facets/libtorch/.*"
BEHIND_WRAPPERS = {
    "H5": r"files/hdf5\w*\.(cpp|h)",
    "hdf5.h": r"files/hdf5\w*\.(cpp|h)",
    "nlohmann/": r"model/json\w*\.cpp",
    "libdeflate.h": r"files/inflate\.cpp",
    "xxhash.h": r"files/digest\.cpp",
    "CLI/": r"cli/.*",
    "nanobind/": r"python/.*",
    "dlfcn.h": r"runner/.*\.cpp",
    "torch/": LIBTORCH + r"|h5bridge/torch\.h",
    "ATen/": LIBTORCH,
    "c10/": LIBTORCH,
    "facets/libtorch/": LIBTORCH,
    "h5bridge/torch.h": LIBTORCH,
}


def includes():
    """(file, what it includes) of all sources, by their paths below src/; those of python/ by "python/..."."""
    for path in sorted([*SRC.rglob("*"), *(ROOT / "python").rglob("*")]):
        if path.suffix in (".h", ".cpp", ".def"):
            file = path.relative_to(SRC if path.is_relative_to(SRC) else ROOT).as_posix()
            for included in re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', path.read_text(), re.M):
                yield file, included


INCLUDES = list(includes())
room_of = lambda path: path.split("/")[0]  # noqa: E731
OWN = [(file, included) for file, included in INCLUDES if (SRC / included).is_file()]


@cache
def reached(room):
    return {room, PUBLIC}.union(*(reached(other) for other in ARROWS[room]))


def test_every_folder_is_a_room():
    assert sorted({room_of(file) for file, _ in INCLUDES} - set(ARROWS)) == []
    assert len(OWN) > 500  # the includes are found


def test_no_arrow_points_back():
    assert [(file, included) for file, included in OWN if room_of(included) not in reached(room_of(file))] == []


def test_a_facet_knows_of_the_spec_alone():
    facet_of = lambda path: path.split("/")[1] if path.startswith("facets/") and path.count("/") > 1 else None  # noqa: E731
    between = [(file, included) for file, included in OWN if facet_of(file) and facet_of(included)]
    assert len(between) > 20
    assert [(file, included) for file, included in between if facet_of(included) not in FACETS[facet_of(file)]] == []


def test_a_family_s_file_of_a_facet_knows_of_that_facet_and_the_spec_alone():
    named = re.compile(rf"layers/\w+/(?:\w+_)?({'|'.join(FACETS)})(?:_\w+)?\.(?:cpp|h)")
    between = [(facet[1], file, included) for file, included in OWN if (facet := named.fullmatch(file)) and included.startswith("facets/")]
    assert len(between) > 100
    assert [(file, included) for facet, file, included in between if included.count("/") > 1 and included.split("/")[1] not in FACETS[facet]] == []


def test_only_what_reads_and_writes_whole_models_includes_the_header_of_all():
    assert [file for file, included in OWN if included == FACADE and room_of(file) not in ABOVE] == []


def test_what_has_a_wrapper_is_included_by_it_alone():
    for header, allowed in BEHIND_WRAPPERS.items():
        assert [(file, name) for file, name in INCLUDES if name.startswith(header) and not re.fullmatch(allowed, file)] == []


@pytest.mark.parametrize("header", sorted(path.name for path in (SRC / PUBLIC).glob("*.h")))
def test_a_public_header_includes_public_ones_alone(header):
    ours = [included for file, included in OWN if file == f"{PUBLIC}/{header}"]
    assert [included for included in ours if room_of(included) != PUBLIC] == []
    theirs = [included for file, included in INCLUDES if file == f"{PUBLIC}/{header}" and included not in ours]
    assert [name for name in theirs if not re.fullmatch(r"[a-z_]+", name) and not (header == "torch.h" and name.startswith("torch/"))] == []


# What a configuration of Keras's has of its graph, and who looks at it: besides these the dialects, which make one
# configuration of another, and the architecture JSON's own members of that name.
OF_A_GRAPH = r'"(inbound_nodes|input_layers|output_layers)"'
OF_GRAPHS = r"keras/(parse_tree|print_tree)\.cpp|keras/(from_keras_1|dialects|to_keras_2)/.*|model/keras_origin\.cpp"


def test_a_graph_of_keras_is_parsed_in_one_file_and_printed_in_one():
    found = [path.relative_to(SRC).as_posix() for path in SRC.rglob("*.[ch]*") if re.search(OF_A_GRAPH, path.read_text())]
    assert {"keras/parse_tree.cpp", "keras/print_tree.cpp"} <= set(found)
    assert [file for file in sorted(found) if not re.fullmatch(OF_GRAPHS, file)] == []
