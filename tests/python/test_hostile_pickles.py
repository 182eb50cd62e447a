"""Pickles that somebody made to do harm, in every file that holds one: each is read as data or refused, nothing is run, and memory
stays within 64 MiB and four times the file."""

import io
import json
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile

import pytest
import torch

from program import PROGRAM, needs_program, package

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = needs_program

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
START = pickle.dumps(1001, 2) + pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)


def zipped(root):
    def write(pickled, folder):
        path = folder / "file"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in ((root, pickled), ("archive/version", b"3\n"), ("archive/data/0", bytes(16))):
                archive.writestr(name, content)
            if root.endswith("constants.pkl"):
                archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
            elif "code" in root:
                archive.writestr("archive/code/__torch__.py", "")
        return path

    return write


def torchscript(pickled, folder):
    path = folder / "file"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("archive/data.pkl", pickled), ("archive/constants.pkl", pickle.dumps((), 2)), ("archive/version", b"3\n"),
                              ("archive/code/__torch__.py", b"class M(Module):\n"), ("archive/data/0", bytes(64))):  # fmt: skip
            archive.writestr(name, content)
    return path


def legacy(pickled, folder):
    path = folder / "file"
    path.write_bytes(MAGIC + START + pickled + pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(16))
    return path


def distributed(pickled, folder):
    path = folder / "folder"
    path.mkdir(exist_ok=True)
    (path / ".metadata").write_bytes(pickled)
    (path / "__0_0.distcp").write_bytes(bytes(64))
    return path


def deepspeed(pickled, folder):
    path = folder / "zero"
    path.mkdir(exist_ok=True)
    inner = zipped("archive/data.pkl")(pickled, folder)
    for name in ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"):
        (path / name).write_bytes(inner.read_bytes())
    return path


def exported(pickled, folder):
    """A weight that torch.export pickled."""
    path = folder / "file"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("m/archive_format", b"pt2"), ("m/archive_version", b"0"), ("m/byteorder", b"little"), ("m/models/model.json", b"{}"),
                              ("m/data/constants/model_constants_config.json", b'{"config": {"c": {"path_name": "custom_obj_0", "use_pickle": true}}}'),
                              ("m/data/weights/model_weights_config.json", b'{"config": {"w": {"path_name": "weight_0", "is_param": true, "use_pickle": true}}}'),
                              ("m/data/weights/weight_0", pickled)):  # fmt: skip
            archive.writestr(name, content)
    return path


FILES = {"zip": zipped("archive/data.pkl"), "legacy": legacy, "TorchScript": torchscript, "distributed": distributed, "DeepSpeed": deepspeed, "pt2": exported}


def is_taken_or_refused(path):
    """A fault of the process would end the test's own."""
    try:
        package.inspect(str(path))
    except package.Error as error:
        assert "internal error" not in str(error)


def arguments_of(opcode):
    """Bytes that the opcode may have behind it: of the form it wants, too large, none."""
    kind = opcode.arg
    if kind is None:
        return [b""]
    if kind.n > 0:
        return [b"\x01" + bytes(kind.n - 1), b"\xff" * kind.n, b""]
    if kind.n == pickletools.UP_TO_NEWLINE:
        return [b"1\n", b"'text'\n", b"os\nsystem\n", b"9" * 400 + b"\n", b"no newline"]
    width = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4, pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8}[kind.n]
    return [(2).to_bytes(width, "little") + b"ab", b"\xff" * width, b"\xff" * (width - 1) + b"\x7f" + b"ab", b""]


# What an opcode may find before it.
STACKS = [b"", b"(", b"N", b"}", b"]", b"(K\x01K\x02", b"}(K\x01K\x02", b"](K\x01", b"cos\nsystem\n(U\x04evilt", b"cos\nsystem\n)", b"cos\nsystem\n)}",
          b"(cos\nsystem\nU\x04evil", b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system", b"cos\nsystem\n)\x81}", b"Nq\x01", b"\x80\x05\x95\x00\x00\x00\x00\x00\x00\x00\x00"]  # fmt: skip


def test_every_opcode_on_every_stack(tmp_path):
    for opcode in pickletools.opcodes:
        for stack in STACKS:
            for argument in arguments_of(opcode):
                is_taken_or_refused(FILES["zip"](stack + opcode.code.encode("latin1") + argument + b".", tmp_path))


GLOBALS = ["os.system", "posix.system", "subprocess.Popen", "subprocess.check_output", "builtins.eval", "builtins.exec", "builtins.compile", "builtins.open",
           "builtins.__import__", "builtins.getattr", "__builtin__.apply", "__builtin__.set", "operator.attrgetter", "operator.methodcaller", "functools.partial",
           "pickle.loads", "marshal.loads", "codecs.decode", "_codecs.encode", "types.CodeType", "types.FunctionType", "importlib.import_module", "runpy.run_path",
           "shutil.rmtree", "socket.socket", "torch.load", "torch.hub.load", "torch.jit.load", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
           "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor",
           "torch._tensor._rebuild_from_type_v2", "torch.storage._load_from_bytes", "torch.serialization._get_layout", "torch.Size", "torch.device",
           "torch.nn.modules.container.Sequential", "torch.nn.modules.transformer.Transformer", "torch.nn.modules.linear.Linear", "torch.FloatStorage",
           "torch.distributed.checkpoint.metadata.Metadata", "torch.distributed.checkpoint.metadata.TensorStorageMetadata",
           "torch.jit._pickle.build_intlist", "numpy._core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "collections.OrderedDict", "copyreg._reconstructor"]  # fmt: skip
MODULE_STATE = b"}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules}u"


@pytest.mark.parametrize("file", FILES)
def test_every_global_in_every_way_of_calling(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = b"X\x0a\x00\x00\x00touch evil"
    for path in GLOBALS:
        module, name = (part.encode() for part in path.rsplit(".", 1))
        named = b"c" + module + b"\n" + name + b"\n"
        stacked = b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name + b"\x93"
        calls = [b"(" + text + b"i" + module + b"\n" + name + b"\n", b"(" + named + text + b"o", named + text + b"\x85R", stacked + text + b"\x85R",
                 named + b")\x81", named + text + b"\x85\x81", named + text + b"\x85}\x92", named + b")\x81" + MODULE_STATE + b"b",
                 named + b")R" + text + b"b", named + b"(K\x00K\x01K\x02K\x03K\x04K\x05K\x06tR", named, b"(" + text + named + b"tQ",
                 named + b")R(" + text + b"K\x01u", named + b")R(" + text + b"e"]  # fmt: skip
        for call in calls:
            for value in (call, b"}" + text + call + b"s") if file == "zip" else (call,):
                is_taken_or_refused(FILES[file](b"\x80\x04" + value + b".", tmp_path))
    assert not (tmp_path / "evil").exists()


def laughs(levels):
    """A list of ten of a list of ten of ..., each by the memo."""
    return b"(lq\x00" + b"".join(b"(" + b"h" + bytes([i]) * 1 + (b"h" + bytes([i])) * 9 + b"lq" + bytes([i + 1]) for i in range(levels)) + b"."


def circle_of_modules():
    """A module that is its own part."""
    return (b"ctorch.nn.modules.container\nSequential\n)\x81q\x01}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}"
            b"X\x08\x00\x00\x00_modules}X\x01\x00\x00\x000h\x01sub.")  # fmt: skip


def tower_of_modules(kind, levels):
    """Each twice in the next, so that the tree has 2^levels leaves."""
    code = b"Nq\x00"
    for i in range(levels):
        part = b"h" + bytes([i]) if i else b"ctorch.nn.modules.activation\nReLU\n)\x81" + MODULE_STATE + b"b"
        children = b"}(X\x01\x00\x00\x000" + part + b"X\x01\x00\x00\x001" + part + b"u"
        code += (b"ctorch.nn.modules.container\n" + kind + b"\n)\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules"
                 + children + b"ubq" + bytes([i + 1]) + b"0")  # fmt: skip
    return code + b"h" + bytes([levels]) + b"."


def tensor_of(shape):
    stored = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    sizes = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", size) for size in shape) + b"t"
    return b"}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(" + stored + b"K\x00" + sizes + sizes + b"\x89NtRs."


BOMBS = {
    "laughs": laughs(200),
    "memo far away": b"Nr\xff\xff\xff\xff.",
    "a text without end": b"X\xff\xff\xff\x7fab.",
    "a long text": b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.",
    "a frame without end": b"\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    "a number without end": b"L" + b"9" * 200_000 + b"L\n.",
    "marks": b"(" * 200_000 + b".",
    "a deep nest": b"]" * 200_000 + b"a" * 199_999 + b".",
    "tuples in tuples": b")" + b"\x85" * 200_000 + b".",
    "a value doubled": b"]" + b"2" * 200_000 + b".",
    "one key again and again": b"}(" + b"K\x01N" * 60_000 + b"u.",
    "a circle": b"]q\x00h\x00a.",
    "a circle of modules": circle_of_modules(),
    "a tower of modules": tower_of_modules(b"Sequential", 60),
    "a tower of lists": tower_of_modules(b"ModuleList", 60),
    "a tensor larger than any memory": tensor_of([1 << 40, 1 << 40]),
    "a tensor larger than its storage": tensor_of([1 << 20, 1 << 10]),
    "axes without end": tensor_of([1] * 100_000),
}


def dense(item, count=1 << 20):
    """As many values as a megabyte asks for."""
    return b"](" + item * (count // len(item)) + b"e."


DENSE = {
    "lists": dense(b"]"),
    "dicts": dense(b"}"),
    "texts": dense(b"\x8c\x00"),
    "whole numbers": dense(b"K\x07"),
    "lists of pairs": dense(b"](K\x01K\x02e"),
    "sets": b"](cbuiltins\nset\nq\x00]q\x01" + b"h\x00h\x01\x85R" * 150_000 + b"e.",
    "sets of a long list": b"](cbuiltins\nset\nq\x00](" + b"N" * 500_000 + b"eq\x01" + b"h\x00h\x01\x85R" * 50_000 + b"e.",
    "objects": b"](cos\nx\nq\x00" + b"h\x00)R" * 250_000 + b"e.",
    "a memo of all": b"](" + b"]\x94" * 500_000 + b"e.",
    "a nest": b"N" + b"\x85" * (1 << 20) + b".",
    "other keys": b"}(" + b"".join(b"\x8c\x03" + b"%03x" % (i % 4096) + b"N" for i in range(170_000)) + b"u.",
}


# A process begins with the memory of the one that made it as its largest, which is to be a small one.
RUN = """
import json, os, subprocess, sys
for command in json.load(sys.stdin):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, message]), flush=True)
"""


def test_bombs(tmp_path):
    runs = []
    for bomb, pickled in BOMBS.items():
        for file in ("zip", "legacy", "distributed", "TorchScript"):
            folder = tmp_path / f"{bomb} {file}"
            folder.mkdir()
            path = FILES[file](pickled, folder)
            runs.append((f"{bomb}, {file}", [str(PROGRAM), "inspect", str(path)], len(pickled) if path.is_dir() else path.stat().st_size))
    for name, pickled in DENSE.items():
        folder = tmp_path / name
        folder.mkdir()
        path = FILES["zip"](pickled, folder)
        for command in (["inspect", "--json", str(path)], ["convert", str(path), "-o", str(folder / "o.safetensors")]):
            runs.append((f"{name}, {command[0]}", [str(PROGRAM), *command], path.stat().st_size))
    commands = json.dumps([command for _, command, _ in runs])
    done = subprocess.run([sys.executable, "-S", "-c", RUN], input=commands, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for (name, _, size), line in zip(runs, done.stdout.splitlines(), strict=True):
        status, memory, message = json.loads(line)
        assert status in (0, 3, 4) and "internal error" not in message, (name, status, message[:300])
        assert memory <= (64 << 20) + 4 * size, (name, memory, size)


def test_what_a_checkpoint_holds_beside_its_weights_may_be_large(tmp_path):
    """A vocabulary and all losses so far are kept; what is more than the file's size allows is left out, and said."""
    vocabulary = {f"word{i}": i for i in range(40_000)}
    torch.save({"state_dict": {"w": torch.arange(4.0)}, "vocabulary": vocabulary, "losses": [i / 7 for i in range(100_000)]}, tmp_path / "c.pth")
    kept = package.inspect(str(tmp_path / "c.pth"))["metadata"]["torch"]["checkpoint"]
    assert kept["vocabulary"] == vocabulary and len(kept["losses"]) == 100_000
    huge = b"}(X\x05\x00\x00\x00model" + tensor_of([1])[:-1] + b"X\x04\x00\x00\x00rest](" + b"](K\x01K\x02e" * 180_000 + b"eu."
    done = subprocess.run([PROGRAM, "convert", FILES["zip"](huge, tmp_path), "-o", tmp_path / "huge.safetensors"], capture_output=True, text=True)
    assert done.returncode == 0 and "the entry 'rest' holds more values" in done.stderr


def test_these_pickles_are_read_where_they_are_no_bombs(tmp_path):
    """Otherwise nothing above would be tested: each file with a state_dict in that place, or what stands there, is read."""
    written = io.BytesIO()
    torch.save({"w": torch.arange(4.0)}, written)
    with zipfile.ZipFile(written) as archive:
        pickled = archive.read("archive/data.pkl")
    for file in ("zip", "legacy"):
        shown = package.inspect(str(FILES[file](pickled, tmp_path)))
        assert [tensor["name"] for tensor in shown["tensors"]] == ["w"], file
