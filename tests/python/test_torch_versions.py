"""What PyTorch has written in all of its versions, by files: those of testdata/torch_files, and those of ../shared/files that people made.

Each file has a row that says what comes of it. What is read equals what torch.load gives, bit for bit.
"""

import json
import struct
import warnings
import zipfile
import zlib

import pytest
import safetensors.torch
import torch

from program import ROOT, needs_program, run_program

pytestmark = needs_program
CRAFTED = ROOT / "testdata" / "torch_files"
SHARED = ROOT.parent / "shared" / "files"


def assert_same_tensors(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        tensor = tensor.detach()
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert torch.equal(found[name].reshape(-1).view(torch.uint8), tensor.contiguous().reshape(-1).view(torch.uint8)), name


def loaded(file, entry=None, trusted=False):
    """What torch itself makes of the file's state_dict. `trusted` is for what we wrote ourselves and holds more than tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class whose source has changed
        value = torch.load(file, map_location="cpu", weights_only=not trusted)
    value = value if entry is None else value[entry]
    return value.state_dict() if isinstance(value, torch.nn.Module) else value


# Of each crafted file, what torch's own reading of it takes; None where PyTorch's tensors are not asked for.
CRAFTED_FILES = {
    "torch_0_1_objects.pth": {},
    "torch_0_1_12.pth": {"entry": "state_dict"},
    "torch_0_4.pth": {},
    "torch_0_3_module.pth": {"trusted": True},
    "big_endian.pth": {},
    "big_endian_legacy.pth": {},
    "torch_2_module.pth": {"trusted": True},
}
REFUSED_FILES = {"torch_0_1.tar": (4, "a tar archive of PyTorch 0.1")}


def test_every_crafted_file_has_a_row():
    there = {path.name for path in CRAFTED.iterdir() if path.suffix in (".pth", ".tar")}
    assert there == {*CRAFTED_FILES, *REFUSED_FILES}


@pytest.mark.parametrize("name", CRAFTED_FILES)
def test_crafted_file(name, tmp_path):
    run_program("convert", CRAFTED / name, "-o", tmp_path / "out.pth", "-o", tmp_path / "out.safetensors")
    expected = loaded(CRAFTED / name, **CRAFTED_FILES[name])
    assert expected
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    # BatchNorm counts since 0.4.1; a module that did not begins at 0.
    counters = {key: found.pop(key) for key in list(found) if key.endswith("num_batches_tracked")}
    assert all(counter == 0 for counter in counters.values())
    assert_same_tensors(found, {key: tensor for key, tensor in expected.items() if not key.endswith("num_batches_tracked")})
    stored = safetensors.torch.load_file(tmp_path / "out.safetensors")
    assert_same_tensors({key: stored[key] for key in found}, found)
    shown = json.loads(run_program("inspect", CRAFTED / name, "--json"))
    assert [(tensor["name"], tensor["shape"]) for tensor in shown["tensors"]] == [(key, list(tensor.shape)) for key, tensor in found.items()]


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_refused_file(name, tmp_path):
    status, words = REFUSED_FILES[name]
    message = run_program("convert", CRAFTED / name, "-o", tmp_path / "out.pth", status=status)
    assert words in message and message.count("\n") == 1


# What comes of the files that people made: the entry that holds the state_dict, or that the file is a whole module's.
SHARED_FILES = {
    "torch-legacy/state_dict.pth": {},
    "torch-zip/lightning.ckpt": {"entry": "state_dict"},
    "torch-zip/parameters_optimizer.pth.tar": {"entry": "parameters"},
    "torch-zip/two_networks.pth": {},
    "torch-zip/whole_module.pth": None,
    "safetensors/no_metadata.safetensors": {},
}


def shared_file(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is missing")
    return SHARED / name


def test_every_shared_file_has_a_row():
    folders = [folder for folder in ("torch-legacy", "torch-zip", "safetensors") if (SHARED / folder).exists()]
    if not folders:
        pytest.skip(f"{SHARED} is missing")
    assert {f"{folder}/{path.name}" for folder in folders for path in (SHARED / folder).iterdir()} <= {*SHARED_FILES}


@pytest.mark.parametrize("name", SHARED_FILES)
def test_shared_file(name, tmp_path):
    source = shared_file(name)
    run_program("convert", source, "-o", tmp_path / "out.pth")
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    if SHARED_FILES[name] is None:  # its class is not here: what can be said is that the names are those of its tree
        shown = json.loads(run_program("inspect", source, "--json"))
        assert [tensor["name"] for tensor in shown["tensors"]] == list(found) and found
        assert all(tensor.isfinite().all() for tensor in found.values())
        return
    expected = safetensors.torch.load_file(source) if source.suffix == ".safetensors" else loaded(source, **SHARED_FILES[name])
    assert_same_tensors(found, expected)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "value,words",
    [
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 3, torch.qint8), "it is a quantized tensor"),
        (torch.quantize_per_channel(torch.ones(2, 2), torch.ones(2), torch.zeros(2), 0, torch.quint8), "it is a quantized tensor"),
        (torch.eye(2).to_sparse(), "it is a sparse tensor"),
        (torch.eye(2).to_sparse_csr(), "it is a sparse tensor"),
    ],
    ids=["quantized", "quantized by channels", "sparse", "sparse rows"],
)  # fmt: skip
def test_what_is_no_plain_tensor_is_refused_by_its_name(value, words, legacy, tmp_path):
    torch.save({"first": torch.ones(2), "odd": value}, tmp_path / "in.pth", _use_new_zipfile_serialization=not legacy)
    message = run_program("convert", tmp_path / "in.pth", "-o", tmp_path / "out.pth", status=4)
    assert f"tensor 'odd': {words}" in message and message.count("\n") == 1


def test_an_archive_of_more_than_four_gigabytes(tmp_path):
    """With zip64's sizes and offsets; its large storage is a hole in the file. Only what is asked for is read."""
    count, small = (5 << 30) // 4, torch.arange(6.0)
    torch.save({"small": small, "large": torch.empty(7)}, tmp_path / "form.pth")
    with zipfile.ZipFile(tmp_path / "form.pth") as form:
        pickled = form.read("form/data.pkl")
    for behind in (b"tq", b"\x85q"):  # the number of the storage's elements, and the shape
        assert pickled.count(b"K\x07" + behind) == 1
        pickled = pickled.replace(b"K\x07" + behind, b"\x8a\x08" + struct.pack("<q", count) + behind)
    parts = [("form/data.pkl", pickled, len(pickled)), ("form/data/1", b"", 4 * count), ("form/data/0", small.numpy().tobytes(), 24), ("form/version", b"3\n", 2)]
    with open(tmp_path / "in.pth", "wb") as out:
        directory = b""
        for name, content, size in parts:
            extra = struct.pack("<HHQQQ", 1, 24, size, size, out.tell())
            crc = zlib.crc32(content) if content else 0
            sizes = struct.pack("<III", crc, 0xFFFFFFFF, 0xFFFFFFFF)
            names = struct.pack("<HH", len(name), len(extra))
            directory += b"PK\x01\x02" + struct.pack("<HHHHHH", 45, 45, 0, 0, 0, 0) + sizes + names + struct.pack("<HHHII", 0, 0, 0, 0, 0xFFFFFFFF) + name.encode() + extra
            out.write(b"PK\x03\x04" + struct.pack("<HHHHH", 45, 0, 0, 0, 0) + sizes + struct.pack("<HH", len(name), 20) + name.encode())
            out.write(struct.pack("<HHQQ", 1, 16, size, size) + content)
            out.seek(size - len(content), 1)
        start = out.tell()
        out.write(directory)
        end = out.tell()
        out.write(b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, len(parts), len(parts), len(directory), start))
        out.write(b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1))
        out.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    assert torch.load(tmp_path / "in.pth", mmap=True, weights_only=True)["large"].shape == (count,)
    shown = json.loads(run_program("inspect", tmp_path / "in.pth", "--json"))
    assert {tensor["name"]: tensor["shape"] for tensor in shown["tensors"]} == {"small": [6], "large": [count]}
