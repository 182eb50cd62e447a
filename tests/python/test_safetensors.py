"""safetensors, by the real library and by the program: both ways, ties, shards, with PyTorch and Keras at the ends."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn

from keras_helpers import keras, predict
from program import h5bridge, needs_program
from torch_helpers import export_architecture
from torch_networks import SmallVgg

pytestmark = needs_program


def randomised(module, seed=3):
    torch.manual_seed(seed)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.fill_(37)
    return module.eval()


def assert_same_tensors(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert torch.equal(found[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8)), name


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vgg")
    module = randomised(SmallVgg())
    export_architecture(module, torch.zeros(2, 3, 16, 20), folder / "net.json")
    safetensors.torch.save_file(module.state_dict(), folder / "net.safetensors", metadata={"format": "pt", "made by": "us"})
    return module, folder


def test_to_keras_and_home(vgg):
    module, folder = vgg
    h5bridge("convert", folder / "net.json", folder / "net.safetensors", "-o", folder / "net.h5")
    x = torch.randn(3, 3, 16, 20)
    with torch.no_grad():
        expected = module(x).numpy()
    (found,) = predict(keras.models.load_model(folder / "net.h5"), [x.numpy().transpose(0, 2, 3, 1)]).values()
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    h5bridge("convert", folder / "net.h5", "-o", folder / "home.safetensors")
    assert_same_tensors(safetensors.torch.load_file(folder / "home.safetensors"), dict(module.state_dict()))
    with safetensors.safe_open(folder / "home.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_to_pth_and_back_with_its_metadata(vgg, tmp_path):
    module, folder = vgg
    h5bridge("convert", folder / "net.safetensors", "-o", tmp_path / "net.pth", "-o", tmp_path / "again.safetensors")
    assert_same_tensors(torch.load(tmp_path / "net.pth"), dict(module.state_dict()))
    assert_same_tensors(safetensors.torch.load_file(tmp_path / "again.safetensors"), dict(module.state_dict()))
    with safetensors.safe_open(tmp_path / "again.safetensors", framework="np") as file:
        assert file.metadata() == {"format": "pt", "made by": "us"}


DTYPES = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int16", "int8",
          "uint64", "uint32", "uint16", "uint8", "bool"]  # fmt: skip


def test_every_type_is_aligned_whatever_comes_before_it(tmp_path):
    """Odd numbers of small elements stand between large ones."""
    random = torch.Generator().manual_seed(2)
    state = {}
    for i, name in enumerate(DTYPES[::-1] + DTYPES):
        values = torch.randint(0, 2, (3, i % 4 + 1), generator=random)
        state[f"{i}.{name}"] = values.to(getattr(torch, name))
    torch.save(state, tmp_path / "state.pth")
    h5bridge("convert", tmp_path / "state.pth", "-o", tmp_path / "state.safetensors")
    assert_same_tensors(safetensors.torch.load_file(tmp_path / "state.safetensors"), state)
    h5bridge("convert", tmp_path / "state.safetensors", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert list(home) == list(state)
    assert_same_tensors(home, state)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 7, bias=False)
        self.tokens = nn.Embedding(7, 5)
        self.head.weight = self.tokens.weight

    def forward(self, ids):
        return self.head(self.tokens(ids))


def test_ties_as_save_model_notes_them(tmp_path):
    module = randomised(Tied())
    safetensors.torch.save_model(module, tmp_path / "tied.safetensors")
    h5bridge("convert", tmp_path / "tied.safetensors", "-o", tmp_path / "tied.pth", "-o", tmp_path / "ours.safetensors")
    state = torch.load(tmp_path / "tied.pth")
    assert state["head.weight"].data_ptr() == state["tokens.weight"].data_ptr()
    assert_same_tensors(state, dict(module.state_dict()))
    other = Tied()
    assert safetensors.torch.load_model(other, tmp_path / "ours.safetensors") == (set(), [])
    assert torch.equal(other.head.weight, module.head.weight) and other.head.weight is other.tokens.weight


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_sharded_sets(vgg, tmp_path, kind):
    module, folder = vgg
    state = dict(module.state_dict())
    names = list(state)
    files = [f"model-0000{i}-of-00003.{kind}" for i in (1, 2, 3)]
    weight_map = {name: files[i % 3] for i, name in enumerate(names)}
    for file in files:
        part = {name: state[name] for name in names if weight_map[name] == file}
        safetensors.torch.save_file(part, tmp_path / file) if kind == "safetensors" else torch.save(part, tmp_path / file)
    index = tmp_path / f"model.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    h5bridge("convert", index, "-o", tmp_path / "whole.pth")
    whole = torch.load(tmp_path / "whole.pth")
    assert list(whole) == names
    assert_same_tensors(whole, state)
    shown = json.loads(h5bridge("inspect", index, "--json"))
    assert [tensor["name"] for tensor in shown["tensors"]] == names

    for wrong, words in (
        ({name: file for name, file in list(weight_map.items())[1:]}, "is not in the index"),
        (weight_map | {"more": files[0]}, '"more" is not in'),
        (weight_map | {"more": f"../{files[0]}"}, "is no file beside the index"),
    ):
        index.write_text(json.dumps({"weight_map": wrong}))
        assert words in h5bridge("convert", index, "-o", tmp_path / "wrong.pth", status=3)
        assert not (tmp_path / "wrong.pth").exists()
    index.write_text(json.dumps({"weight_map": weight_map | {"more": "none.bin"}}))
    assert "none.bin" in h5bridge("convert", index, "-o", tmp_path / "wrong.pth", status=5)


def test_sets_are_written(vgg, tmp_path):
    """Beside their index, in the state_dict's order, as many bytes in each as are asked for; real readers take them."""
    module, folder = vgg
    state = dict(module.state_dict())
    torch.save(state, folder / "state.pth")
    h5bridge("convert", folder / "state.pth", "-o", tmp_path / "net.safetensors.index.json", "--shard-size", "10KB")
    index = json.loads((tmp_path / "net.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in state.values())
    files = list(dict.fromkeys(index["weight_map"].values()))
    assert len(files) > 2 and files == [f"net-{i + 1:05d}-of-{len(files):05d}.safetensors" for i in range(len(files))]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "net.safetensors.index.json"])
    found = {}
    for file in files:
        part = safetensors.torch.load_file(tmp_path / file)
        assert len(part) == 1 or sum(tensor.nbytes for tensor in part.values()) <= 10_000
        assert {index["weight_map"][name] for name in part} == {file}
        with safetensors.safe_open(tmp_path / file, framework="np") as opened:
            assert opened.metadata() == {"format": "pt"}
        found |= part
    assert list(index["weight_map"]) == list(state)
    assert_same_tensors({name: found[name] for name in state}, state)
    h5bridge("convert", tmp_path / "net.safetensors.index.json", "-o", tmp_path / "home.pth")
    assert_same_tensors(torch.load(tmp_path / "home.pth"), state)
    message = h5bridge("convert", folder / "net.safetensors", "-o", tmp_path / "no.safetensors", "--shard-size", "10KB", status=2)
    assert "NAME.safetensors.index.json" in message and not (tmp_path / "no.safetensors").exists()


def test_ties_over_shards(tmp_path):
    module = randomised(Tied())
    torch.save(module.state_dict(), tmp_path / "tied.pth")
    h5bridge("convert", tmp_path / "tied.pth", "-o", tmp_path / "tied.safetensors.index.json", "--shard-size", "1KB")
    h5bridge("convert", tmp_path / "tied.safetensors.index.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert home.keys() == module.state_dict().keys() and home["head.weight"].data_ptr() == home["tokens.weight"].data_ptr()


def test_inspect(vgg):
    module, folder = vgg
    shown = json.loads(h5bridge("inspect", folder / "net.safetensors", "--json"))
    assert shown["format"] == "safetensors" and shown["architecture"] is None
    assert {t["name"]: (t["shape"], t["dtype"]) for t in shown["tensors"]} == {
        name: (list(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in module.state_dict().items()}  # fmt: skip
    assert shown["metadata"] == {"safetensors": {"format": "pt", "made by": "us"}}


def test_a_tie_to_a_tensor_of_another_shard(tmp_path):
    """As huggingface_hub writes them: every shard has all ties, and the index only names what is stored."""
    tensors = {"a.weight": torch.ones(2, 3), "b.weight": torch.zeros(4)}
    for i, name in enumerate(tensors):
        safetensors.torch.save_file({name: tensors[name]}, tmp_path / f"{i}.safetensors", metadata={"format": "pt", "tied.weight": "a.weight"})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {name: f"{i}.safetensors" for i, name in enumerate(tensors)}}))
    h5bridge("convert", index, "-o", tmp_path / "whole.pth")
    whole = torch.load(tmp_path / "whole.pth")
    assert list(whole) == ["a.weight", "b.weight", "tied.weight"]
    assert whole["tied.weight"].data_ptr() == whole["a.weight"].data_ptr()


def test_inspecting_a_set_reads_headers_alone(tmp_path):
    """Of 40 GiB, which are holes in their files."""
    weight_map = {}
    for i in range(4):
        rows = (10 << 30) // 4096
        header = json.dumps({f"{i}.weight": {"dtype": "F32", "shape": [rows, 1024], "data_offsets": [0, rows * 4096]}}).encode()
        with open(tmp_path / f"{i}.safetensors", "wb") as out:
            out.write(len(header).to_bytes(8, "little") + header)
            out.truncate(8 + len(header) + rows * 4096)
        weight_map[f"{i}.weight"] = f"{i}.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    shown = json.loads(h5bridge("inspect", tmp_path / "model.safetensors.index.json", "--json"))
    assert [(tensor["name"], tensor["shape"]) for tensor in shown["tensors"]] == [(f"{i}.weight", [(10 << 30) // 4096, 1024]) for i in range(4)]
