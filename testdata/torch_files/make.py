#!/usr/bin/env python3
"""Makes the files beside it: what PyTorch wrote before 1.6, and on machines of the other byte order, put together by hand.

    python testdata/torch_files/make.py

Each has the form of one version; tests/python/test_torch_versions.py reads them with real PyTorch and with h5bridge. The values of
all but the byte order's are those of `values` below.
"""

import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
MAGIC = 0x1950A86A20F9469CFC6C
WEIGHT = [0.5, -1.25, 2.0, 3.5, -4.75, 6.0]  # of shape (2, 3)
BIAS = [0.125, -0.25]


class Code:
    """Emits the opcodes of a pickle of protocol 2; strings are Python 2's, as its torch.save had them, unless `text` is asked for."""

    def __init__(self, python=2):
        self.code = bytearray(b"\x80\x02")
        self.python = python

    def raw(self, code):
        self.code += code
        return self

    def glob(self, path):
        module, name = path.rsplit(".", 1)
        return self.raw(f"c{module}\n{name}\n".encode())

    def put(self, value):
        """None, a truth value, a number, a string, a tuple, a list or a dict of such, or a function that emits."""
        if callable(value):
            value(self)
        elif value is None:
            self.raw(b"N")
        elif isinstance(value, bool):
            self.raw(b"\x88" if value else b"\x89")
        elif isinstance(value, int):
            self.raw(b"J" + struct.pack("<i", value))
        elif isinstance(value, float):
            self.raw(b"G" + struct.pack(">d", value))
        elif isinstance(value, str):
            encoded = value.encode()
            self.raw(b"U" + bytes([len(encoded)]) + encoded if self.python == 2 else b"X" + struct.pack("<I", len(encoded)) + encoded)
        elif isinstance(value, tuple):
            self.raw(b"(").each(value).raw(b"t")
        elif isinstance(value, list):
            self.raw(b"](").each(value).raw(b"e")
        elif isinstance(value, dict):
            self.raw(b"}(").each(item for pair in value.items() for item in pair).raw(b"u")
        return self

    def each(self, values):
        for value in values:
            self.put(value)
        return self

    def call(self, path, *arguments, state=None):
        self.glob(path).put(arguments).raw(b"R")
        return self if state is None else self.put(state).raw(b"b")

    def done(self):
        return bytes(self.code + b".")


def call(path, *arguments, state=None):
    return lambda code: code.call(path, *arguments, state=state)


def name(path):
    return lambda code: code.glob(path)


def storage(key, length, *view, kind="FloatStorage", location="cpu"):
    """What a storage is in the pickle; as of 0.1.12 with the part of it that is meant, or None."""
    return lambda code: code.put(("storage", name(f"torch.{kind}"), key, location, length, *view)).raw(b"Q")


def ordered(pairs, python=2, state=None):
    """An OrderedDict as Python 2 pickles it, whose call has a list of lists, or as Python 3 does."""

    def emit(code):
        if python == 2:
            code.call("collections.OrderedDict", [list(pair) for pair in pairs])
        else:
            code.call("collections.OrderedDict").raw(b"(").each(item for pair in pairs for item in pair).raw(b"u")
        if state is not None:
            code.put(state).raw(b"b")

    return emit


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def legacy(path, value, storages, python=2, little_endian=True):
    """Five pickles in a row, and the storages: by key, a list of float32."""
    sizes = {"int": 4, "long": 4 if python == 2 else 8, "short": 2}
    content = b"".join(
        [
            pickle.dumps(MAGIC, 2),
            pickle.dumps(1001, 2),
            Code(python).put({"protocol_version": 1001, "type_sizes": sizes, "little_endian": little_endian}).done(),
            Code(python).put(value).done(),
            Code(python).put(sorted(storages)).done(),
            *(struct.pack("<q", len(storages[key])) + floats(storages[key]) for key in sorted(storages)),
        ]
    )
    (FOLDER / path).write_bytes(content)


def torch_0_1_objects():
    """A tensor as an object of its class, whose state is storage, offset, shape and strides (Tensor.__setstate__ takes it still)."""
    tensor = lambda key, shape, strides, length: call("torch.FloatTensor", state=(storage(key, length, None), 0, shape, strides))
    legacy("torch_0_1_objects.pth", ordered([("weight", tensor("11", (2, 3), (3, 1), 6)), ("bias", tensor("22", (2,), (1,), 2))]),
           {"11": WEIGHT, "22": BIAS})  # fmt: skip


def torch_0_1_12():
    """_rebuild_tensor; a storage that is a part of another one says so in its id. Written by Python 2, from a GPU."""
    tensor = lambda view, shape, strides, offset: call(
        "torch._utils._rebuild_tensor", storage("33", 8, view, location="cuda:0"), offset, shape, strides)  # fmt: skip
    legacy("torch_0_1_12.pth", {"epoch": 3, "state_dict": ordered([("weight", tensor(("44", 0, 6), (2, 3), (3, 1), 0)),
                                                                  ("bias", tensor(("55", 5, 3), (2,), (1,), 1))])},
           {"33": [*WEIGHT, *BIAS]})  # fmt: skip


def torch_0_4():
    """_rebuild_tensor_v2, and a state_dict with the versions of its modules."""
    tensor = lambda key, shape, strides, length: call(
        "torch._utils._rebuild_tensor_v2", storage(key, length, None), 0, shape, strides, False, ordered([], 3))  # fmt: skip
    state = {"_metadata": ordered([("", {"version": 1})], 3)}
    value = ordered([("weight", tensor("66", (2, 3), (1, 2), 6)), ("bias", tensor("77", (2,), (1,), 2))], 3, state)
    by_columns = [WEIGHT[row * 3 + column] for column in range(3) for row in range(2)]
    legacy("torch_0_4.pth", value, {"66": by_columns, "77": BIAS}, python=3)


def torch_0_3_module():
    """A whole module: classes with their sources, parameters that are autograd's variables, and few of today's settings."""
    python = 3
    new = lambda path: lambda code: code.put(("module", name(path), f"{path}.py", "class Source: pass\n")).raw(b"Q").raw(b")\x81")
    hooks = {"_backward_hooks": ordered([], python), "_forward_hooks": ordered([], python), "_forward_pre_hooks": ordered([], python)}

    def parameter(key, shape, strides, length):
        tensor = call("torch._utils._rebuild_tensor", storage(key, length, None), 0, shape, strides)
        return call("torch.nn.parameter.Parameter", tensor, state=(True, False, ordered([], python)))

    def module(path, parameters=(), buffers=(), modules=(), **settings):
        state = {"_backend": None, "_parameters": ordered(parameters, python), "_buffers": ordered(buffers, python), **hooks,
                 "_modules": ordered(modules, python), "training": False, **settings}  # fmt: skip
        return lambda code: code.put(new(path)).put(state).raw(b"b")

    linear = module("torch.nn.modules.linear.Linear", [("weight", parameter("81", (2, 3), (3, 1), 6)), ("bias", parameter("82", (2,), (1,), 2))],
                    in_features=3, out_features=2)  # fmt: skip
    activation = module("torch.nn.modules.activation.ReLU", threshold=0, value=0, inplace=False)
    norm_buffer = lambda key: call("torch._utils._rebuild_tensor", storage(key, 2, None), 0, (2,), (1,))
    norm = module("torch.nn.modules.batchnorm.BatchNorm1d", [("weight", parameter("83", (2,), (1,), 2)), ("bias", parameter("84", (2,), (1,), 2))],
                  [("running_mean", norm_buffer("85")), ("running_var", norm_buffer("86"))],
                  num_features=2, affine=True, eps=1e-5, momentum=0.1)  # fmt: skip
    net = module("torch.nn.modules.container.Sequential", modules=[("0", linear), ("1", activation), ("2", norm)])
    legacy("torch_0_3_module.pth", net, {"81": WEIGHT, "82": BIAS, "83": [1.5, 0.5], "84": [0.25, -1.0], "85": [0.5, 1.0], "86": [2.0, 0.75]}, python)


def torch_0_1_tar():
    """A tar archive of four parts. Its tensors have numbers, which the pickle names."""
    numbers = {"1": ((2, 3), (3, 1), WEIGHT), "2": ((2,), (1,), BIAS)}
    storages, tensors = io.BytesIO(), io.BytesIO()
    for part in (storages, tensors):
        pickle.dump(len(numbers), part, 2)
    for number, (shape, strides, values) in numbers.items():
        storages.write(Code().put((int(number) + 10, "cpu", name("torch.FloatStorage"))).done() + struct.pack("<q", len(values)) + floats(values))
        tensors.write(Code().put((int(number), int(number) + 10, name("torch.FloatTensor"))).done())
        tensors.write(struct.pack(f"<q{2 * len(shape) + 1}q", len(shape), *shape, *strides, 0))
    pickle.dump([], storages, 2)
    state = ordered([(key, lambda code, number=number: code.put(number).raw(b"Q")) for key, number in (("weight", "1"), ("bias", "2"))])
    parts = {"sys_info": Code().put({"protocol_version": 1000, "little_endian": True}).done(), "pickle": Code().put(state).done(),
             "tensors": tensors.getvalue(), "storages": storages.getvalue()}  # fmt: skip
    with tarfile.open(FOLDER / "torch_0_1.tar", "w:", format=tarfile.PAX_FORMAT) as tar:
        for part, content in parts.items():
            entry = tarfile.TarInfo(part)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def big_endian():
    """A zip archive of torch 2.1, from a machine that keeps numbers the other way around: halves of complex numbers turn singly."""
    kinds = {"d": ("DoubleStorage", ">3d", [1.5, -2.25, 1e300]), "f": ("FloatStorage", ">3f", [0.5, -8.0, 3.25]),
             "h": ("HalfStorage", ">3e", [0.5, -2.0, 7.0]), "q": ("LongStorage", ">3q", [1, -2, 1 << 40]),
             "i": ("IntStorage", ">3i", [1, -2, 1 << 20]), "s": ("ShortStorage", ">3h", [1, -2, 1 << 10]),
             "b": ("CharStorage", ">3b", [1, -2, 3]), "t": ("BoolStorage", ">3?", [True, False, True]),
             "c": ("ComplexFloatStorage", ">6f", [1.0, 2.0, -3.0, 4.0, 5.0, -6.0])}  # fmt: skip
    code = Code(3)
    tensor = lambda key, kind: call("torch._utils._rebuild_tensor_v2", storage(key, 3, kind=kind), 0, (3,), (1,), False, ordered([], 3))
    code.put({key: tensor(key, kind) for key, (kind, _, _) in kinds.items()})
    with zipfile.ZipFile(FOLDER / "big_endian.pth", "w", zipfile.ZIP_STORED) as archive:
        entries = {"data.pkl": code.done(), "byteorder": b"big", "version": b"3\n"}
        entries |= {f"data/{key}": struct.pack(form, *values) for key, (_, form, values) in kinds.items()}
        for entry, content in entries.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{entry}"), content)


def big_endian_legacy():
    """The old form is in little-endian order whoever wrote it; it only says that the machine was another one."""
    tensor = call("torch._utils._rebuild_tensor_v2", storage("91", 6, None), 0, (2, 3), (3, 1), False, ordered([], 3))
    legacy("big_endian_legacy.pth", ordered([("weight", tensor)], 3), {"91": WEIGHT}, python=3, little_endian=False)


def of_today():
    """What the torch beside this writes: a whole module, TorchScript, and a folder of torch.distributed.checkpoint."""
    import torch
    import torch.distributed.checkpoint as checkpoint

    torch.manual_seed(1)
    written = io.BytesIO()
    torch.save(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.TransformerEncoderLayer(2, 1, 2)).eval(), written)
    with zipfile.ZipFile(written) as archive, zipfile.ZipFile(FOLDER / "torch_2_module.pth", "w", zipfile.ZIP_DEFLATED) as small:
        for entry in archive.infolist():
            small.writestr(zipfile.ZipInfo(entry.filename), archive.read(entry), zipfile.ZIP_DEFLATED)
    torch.jit.script(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())).save(FOLDER / "torch_2_script.pt")
    checkpoint.save({"model": {"weight": torch.tensor(WEIGHT).reshape(2, 3)}, "epoch": 3}, checkpoint_id=FOLDER / "torch_2_distributed", no_dist=True)


def deepspeed():
    """A folder as DeepSpeed's ZeRO of stage 2 leaves it, of two ranks: each has half of all parameters in a row."""
    import torch

    folder = FOLDER / "deepspeed" / "global_step3"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "latest").write_text(folder.name)
    for rank, half in enumerate(torch.tensor(WEIGHT).chunk(2)):
        slots = {"step": torch.tensor(3.0), "exp_avg": half * 2, "exp_avg_sq": half * half}
        adam = {"state": {0: slots}, "param_groups": [{"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "params": [0]}]}
        state = {"zero_stage": 2, "partition_count": [2], "single_partition_of_fp32_groups": [half.clone()], "base_optimizer_state": adam}
        torch.save({"optimizer_state_dict": state}, folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    weight = torch.tensor(WEIGHT).reshape(2, 3)
    states = {"module": {"weight": weight.half()}, "buffer_names": [], "param_shapes": [{"weight": weight.shape}], "shared_params": {"again": "weight"},
              "frozen_param_shapes": None, "frozen_param_fragments": None, "ds_version": "0.16.0"}  # fmt: skip
    torch.save(states, folder / "mp_rank_00_model_states.pt")


if __name__ == "__main__":
    for make in (torch_0_1_objects, torch_0_1_12, torch_0_4, torch_0_3_module, torch_0_1_tar, big_endian, big_endian_legacy, of_today, deepspeed):
        make()
