"""Every argument of every operator of ATen that is read is read, refused or listed here; what a call leaves out means the same in
the schema and in the layer."""

from collections import defaultdict

import pytest
import torch

from registry_samples import aten_rows, needs_registry

pytestmark = needs_registry

# Where tensors live and how memory is laid out, which is read of no operator.
OF_MEMORY = set("device layout pin_memory memory_format non_blocking copy generator cudnn_enabled implicit".split())

# Arguments that never say anything, by why.
IGNORED = {
    "what computes, or how fast, not what": "_convolution.benchmark _convolution.deterministic _convolution.allow_tf32 layer_norm.cudnn_enable",
    "it is of training": "gather.sparse_grad",
    "the tensor's sizes say it": "native_group_norm.N native_group_norm.C native_group_norm.HxW repeat_interleave.output_size",
}

# Arguments that only what adjusts a call reads: another argument of the layer's, or one that is refused at all else.
ADJUSTED = {
    "a share that is dropped is refused": "scaled_dot_product_attention.dropout_p _scaled_dot_product_flash_attention_for_cpu.dropout_p",
    "true in a module is its mode, which is not kept, and is refused or said elsewhere": "dropout.train native_dropout.train alpha_dropout.train "
    "feature_dropout.train feature_alpha_dropout.train gru.train lstm.train rnn_relu.train rnn_tanh.train batch_norm.training native_batch_norm.training "
    "_native_batch_norm_legit.training instance_norm.use_input_stats",
    "the weights that are given say it": "gru.has_biases lstm.has_biases rnn_relu.has_biases rnn_tanh.has_biases",
    "another layer is transposed, which alone pads its output": "convolution.transposed convolution.output_padding _convolution.transposed "
    "_convolution.output_padding",
    "the shape of the result has it": "eye.n eye.m",
    "it is the attribute fill_value": "fill.value",
    "true is a correction of 1, false of 0": "std.unbiased var.unbiased",
    "a slice of what is joined": "slice_scatter.start slice_scatter.end slice_scatter.step select_scatter.index",
}

# Defaults that are not the layer's, by why both mean the same.
OTHER_DEFAULTS = {
    "None is that of the result, which the graph states": "arange.dtype eye.dtype full.dtype new_full.dtype new_ones.dtype new_zeros.dtype ones.dtype "
    "scalar_tensor.dtype zeros.dtype to.dtype _to_copy.dtype",
    "no axes are all": "amax.dim amin.dim roll.dims",
    "None is what the layer has": "nan_to_num.nan std.correction var.correction cdist.compute_mode",
    "another way to say none": "constant_pad_nd.value",
    "no stride is the kernel's size": " ".join(f"{kind}_pool{axes}d{rest}.stride" for kind in ("avg", "max") for axes in (1, 2, 3)
                                              for rest in ("", "_with_indices") if kind == "max" or not rest),
    "no padding, by its name": "conv1d.padding conv2d.padding conv3d.padding",
    "there is no number of classes without the tensor's values": "one_hot.num_classes",
    "there is no axis without a reshape": "take_along_dim.dim",
}  # fmt: skip


# Names of rows that no operator has: functions that operators are joined to, a spelling of Python, a branch, and one that comes with those of other axes.
NO_OPERATORS = {"normalize", "_adaptive_avg_pool1d", "__add__", "cond"}


def listed(reasons):
    return {name for names in reasons.values() for name in names.split()}


def overloads():
    """By the plain names of the operators, their schemas."""
    result = defaultdict(list)
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.removeprefix("aten::").partition(".")
        if full.startswith("aten::") and hasattr(getattr(torch.ops.aten, name), overload or "default"):
            result[name].append(getattr(getattr(torch.ops.aten, name), overload or "default")._schema)
    return result


def arguments():
    """Row, operator's name and argument, of all overloads but those that write elsewhere or take named axes."""
    schemas = overloads()
    for row in aten_rows():
        for name in row["operators"]:
            for schema in schemas[name] + schemas[name + "_"]:
                if not any(argument.is_out or "Dimname" in str(argument.type) for argument in schema.arguments) and "dimname" not in schema.overload_name:
                    yield from ((row, name, argument) for argument in schema.arguments if argument.name not in OF_MEMORY)


def is_tensor(argument):
    return "Tensor" in str(argument.type)


def are_alike(default, of_layer):
    """Whether a schema's default is the layer's, which may be one number for all axes."""
    if isinstance(default, torch.dtype):
        default = str(default).removeprefix("torch.")
    if isinstance(default, list) and default and not isinstance(of_layer, list):
        return all(item == of_layer for item in default)
    return default == of_layer


def read_by(row, argument):
    return row["renamed"].get(argument.name, argument.name)


def test_every_operator_is_one_of_pytorchs():
    known = overloads()
    names = [name for row in aten_rows() for name in row["operators"]]
    assert len(names) > 200
    assert {name for name in names if name not in known and name + "_" not in known} == NO_OPERATORS


def test_what_a_row_names_is_an_argument():
    """An argument that PyTorch calls otherwise would not be looked at."""
    found = {(name, argument.name) for _, name, argument in arguments()}
    for row in aten_rows():
        for given in (*row["renamed"], *row["nothing_at"], *row["ignored"]):
            assert given in OF_MEMORY or any((name, given) in found for name in row["operators"]), f"{row['operators']}: {given}"


def test_no_argument_is_left_out_in_silence():
    """Those that are no attribute of the layer are refused by the program unless the row says what they are, or adjusts the call."""
    ignored, adjusted = set(), set()
    for row, name, argument in arguments():
        if argument.name in row["ignored"]:
            ignored.add(f"{name}.{argument.name}")
        elif row["is_adjusted"] and row["type"] and not is_tensor(argument) and argument.name not in row["nothing_at"]:
            if read_by(row, argument) not in row["attributes"] and not may_be_anything(row, argument):
                adjusted.add(f"{name}.{argument.name}")
    assert ignored == listed(IGNORED)
    assert adjusted == listed(ADJUSTED)


def may_be_anything(row, argument):
    """A dtype is cast to where a layer has none, and sizes and their factors are the layer's `size`."""
    return argument.name == "dtype" or row["type"] == "Upsample"


def test_what_a_call_leaves_out_is_what_the_layer_has():
    others = set()
    for row, name, argument in arguments():
        attribute = row["attributes"].get(read_by(row, argument))
        if is_tensor(argument) or not argument.has_default_value():
            continue
        if argument.name in row["nothing_at"]:
            assert are_alike(argument.default_value, row["nothing_at"][argument.name]), f"{name}.{argument.name}"
        elif read_by(row, argument) in row["defaults"]:
            assert are_alike(argument.default_value, row["defaults"][read_by(row, argument)]), f"{name}.{argument.name}"
        elif attribute is not None and not (attribute and are_alike(argument.default_value, attribute[0])):
            others.add(f"{name}.{argument.name}")
    assert others == listed(OTHER_DEFAULTS)


@pytest.mark.parametrize("reasons", [IGNORED, ADJUSTED, OTHER_DEFAULTS])
def test_no_argument_has_two_reasons(reasons):
    names = " ".join(reasons.values()).split()
    assert len(names) == len(set(names))
