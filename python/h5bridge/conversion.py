"""From files to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import _core
from .arguments import flag, positive
from .errors import Disagreement, UsageError, with_keywords
from .options import Paths, epoch_of, loading, loss_of, paths_of, saving
from .progress import shown


def convert(
    sources: Paths,
    destination: Paths,
    *,
    key: str = "",
    allow_unexpected: bool = False,
    fix_size: Mapping[str, int] | None = None,
    optimizer: bool = True,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    match: str | None = None,
    written_by: str | None = None,
    map: Mapping[str, str] | None = None,
    rename: Sequence[str] = (),
    optimizer_key: str = "",
    trust_torchscript: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    to: str = "",
    data_format: str | None = None,
    keras: int = 3,
    dtype: str | None = None,
    checkpoint: bool = False,
    epoch: int | None = None,
    loss: float | None = None,
    lossless: bool = False,
    shard_size: int | str | None = None,
    check: bool = False,
    reference: int | None = None,
) -> list[str]:
    """Writes other views of a model, as `h5bridge convert` does.

    `sources` are the files that together make one model, in any order, each recognised by its content. `destination` is
    a path, or several, which are written together: all of them or none. A destination's suffix tells its format.

    How the sources are read:
    - `key`: the entry of a checkpoint that holds the state_dict, "ema" or "a.b"; found by itself where only one can be
      meant.
    - `allow_unexpected`: tensors that the architecture does not name are carried along beside the model.
    - `fix_size`: open sizes bound to numbers, `{"length": 128}`.
    - `optimizer=False`: training state is left out.
    - `optimizer_key`: the entry of a checkpoint that holds the optimizer, where several could: "optD",
      "optimizers.net" of a dict in it, or "optimizer_states.1" of a list.
    - `param_order`: the names of an optimizer's parameters as its groups list them; a list, or one a group.
    - `untie`: tied tensors that differ in the file become two.
    - `match`: how the weights of a Keras file without an architecture find their layers: "order", as Keras loads them,
      or "name"; by default by order, unless the names are the same set.
    - `written_by`: "theano" or "tensorflow", where a file of Keras 0 or 1 does not say.
    - `map`: other names for the state_dict's tensors, `{"theirs": "ours"}`; then `rename`, "OLD=NEW" each, a regular
      expression on the names and what its matches become.
    - `trust_torchscript`: a TorchScript archive's graph is read, too, by LibTorch, which runs code of the archive's while
      it loads it; for builds with LibTorch. `input_shapes`: examples of the shapes of its inputs, by their names, which it
      does not say, `{"input": (1, 3, 32, 32)}`: as many axes are taken, the sizes only where they have to be known.

    How the destinations are written:
    - `to`: their format, where the suffix does not tell: "keras-h5", "keras-h5-weights", "keras", "keras-weights",
      "torch", "safetensors", "architecture", "python", "torchscript", "html".
    - `data_format`: of Keras destinations, "channels_last" or "channels_first".
    - `keras=2`: a .h5 is one that tf.keras of TensorFlow 2 loads (TensorFlow before 2.16, or tf_keras).
    - `dtype`: floating-point weights are rounded to "float32", "float16" or "bfloat16".
    - `checkpoint`: PyTorch destinations are {epoch, model_state_dict, optimizer_state_dict, loss}; `epoch` and `loss`
      are stated where the sources have none.
    - `lossless`: what a destination has no place for is an error, and no note.
    - `shard_size`: bytes of tensors in a file of a sharded set at most, or "5GB".
    - `check=True`: what was written is read back, and it and the sources' model are run on random inputs, by
      `Model.to_torch()`; nothing is written unless they agree.
    - `reference`: so many rows of random inputs, and what PyTorch makes of them, are kept in the files, as a test that
      `verify` replays.

    Returns notes, a line each, on what reading or writing left out or changed.

    Raises MalformedFile where a source is damaged, or tensors are missing, unexpected or misshapen; Unsupported for
    what has no equivalent, naming the layer; UsageError where the files make no one model; SystemFailure; with `check`,
    Disagreement naming the first layer that differs. No destination is touched then.

    >>> h5bridge.convert(["digits.json", "digits.pth"], "digits.h5")
    []
    """
    if (epoch is not None or loss is not None) and not checkpoint:
        raise UsageError("epoch and loss are those of a checkpoint: give checkpoint=True, too")
    load_options = loading(
        key, allow_unexpected, fix_size, optimizer, param_order, untie, match, written_by, map, rename, optimizer_key, trust_torchscript, input_shapes
    )
    save_options = saving(to, data_format, keras, optimizer, checkpoint, dtype, lossless, shard_size)
    destinations = paths_of(destination, "destination")
    model = _core.load(paths_of(sources, "sources"), load_options)
    _core.complete_training(model, epoch_of(epoch), loss_of(loss))
    if reference is not None:
        _core.keep_random_reference(model, destinations, save_options, positive("reference", reference))
    with shown("convert"):
        notes = _checked(model, destinations, save_options) if flag("check", check) else _core.save(model, destinations, save_options)
    return [with_keywords(note) for note in (*model.notes, *notes)]


def _checked(model: _core.Model, destinations: list[str], options: _core.SaveOptions) -> list[str]:
    saved = _core.save_checked(model, destinations, options)
    for path, view in saved["views"].items():
        if not view["agrees"]:
            layer, cause = view["first_layer"], view["likely_cause"]
            where = f' from the layer "{layer["name"]}" on' if layer else ""
            why = f"; likely cause, {cause['kind']}: {cause['what']}" if cause else ""
            raise Disagreement(f"{path}: computes something else{where}{why}; nothing is written")
    return saved["notes"]
