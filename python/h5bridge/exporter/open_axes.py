"""Which axes are open: found by running the module on inputs of other sizes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Callable, Iterator, Mapping

import torch
from torch import Tensor

from .errors import SizeError
from .tables import AXIS_NAMES, FACTORS
from .tensors import tensors_in

Axis = tuple[str, int]  # an input's name, an axis of it


@dataclass
class Symbol:
    name: str
    axes: tuple[Axis, ...]
    factor: int = 1  # the axes are this many times the symbol
    hint: int = 0    # the symbol's value to trace with
    check: int = 0   # another one, at which Python's conditions must come out alike

    def sizes(self, value: int) -> dict[Axis, int]:
        return dict.fromkeys(self.axes, self.factor * value)


class Probe:
    """Runs the real module on inputs of other sizes, made by repeating the examples' values."""

    def __init__(self, call: "Call"):
        self.call = call
        self._leading: dict[tuple, list[int] | None] = {}
        self.notes: list[str] = []  # on sizes that are fixed although the module takes others

    def resized(self, sizes: dict[Axis, int]) -> dict[str, Tensor]:
        inputs = dict(self.call.tensors)
        for (name, axis), size in sizes.items():
            x = inputs[name]
            inputs[name] = x.index_select(axis, torch.arange(size, device=x.device) % x.shape[axis])
        return inputs

    def run(self, sizes: dict[Axis, int]) -> list[torch.Size]:
        inputs = {name: x.clone() for name, x in self.resized(sizes).items()}
        with self.call.keeping:
            return [y.shape for y in tensors_in(self.call(inputs))]

    def leading(self, sizes: dict[Axis, int]) -> list[int] | None:
        """The outputs' first sizes; None where the module refuses the input."""
        key = tuple(sorted(sizes.items()))
        if key not in self._leading:
            try:
                self._leading[key] = [shape[0] if shape else 0 for shape in self.run(sizes)]
            except Exception:  # whatever a stranger's forward raises means no
                self._leading[key] = None
        return self._leading[key]


def axes_text(axes: tuple[Axis, ...]) -> str:
    return " and ".join(f"axis {axis} of {name}" for name, axis in axes)


def _other_sizes(size: int) -> tuple[int, int]:
    """So much more that no pooling hides it, and a little more."""
    return size + size // 2 + 1, size + 3


def _follow(found: list[int] | None, expected: list[int], changed: dict[int, int]) -> bool:
    """Whether the outputs' first sizes are the expected ones, or those that became others: a batch need not stand first."""
    return found is not None and all(f in (e, changed.get(e)) for f, e in zip(found, expected))


def find_symbols(probe: Probe, tensors: dict[str, Tensor]) -> list[Symbol]:
    """The open axes: those whose size the module lets change while its outputs keep their batch size. Some may only be
    multiples, as where a U-Net halves and doubles them."""
    size_of = {(name, axis): size for name, x in tensors.items() for axis, size in enumerate(x.shape)}
    probe.run({})  # the example must work
    groups: list[tuple[Axis, ...]] = []
    base: dict[Axis, int] = {}

    # The batch: the first axis of all inputs, or of as many as agree. From then on the batch is 2, to be quick.
    firsts = [axis for axis in size_of if axis[1] == 0]
    if firsts:
        alike = [axis for axis in firsts if size_of[axis] == size_of[firsts[0]]]
        subsets = [alike] + [list(c) for n in range(len(alike) - 1, 0, -1) for c in itertools.combinations(alike, n) if firsts[0] in c][:32]
        for subset in subsets:
            if all(probe.leading(dict.fromkeys(subset, size)) is not None for size in (2, 3)):
                groups.append(tuple(subset))
                base = dict.fromkeys(subset, 2)
                break
    expected = probe.leading(base)

    def takes(group: tuple[Axis, ...], size: int) -> bool:
        return _follow(probe.leading(base | dict.fromkeys(group, size)), expected, {size_of[group[0]]: size})

    def is_open(group: tuple[Axis, ...]) -> bool:
        return takes(group, _other_sizes(size_of[group[0]])[0])

    # Then every other axis by itself, and those that refuse together with others of their size.
    closed = []
    for axis in size_of:
        if axis not in base and size_of[axis] > 0:
            if is_open((axis,)):
                groups.append((axis,))
            else:
                closed.append(axis)
    for key in (lambda axis: size_of[axis], lambda axis: (size_of[axis], axis[1])):
        for _, members in itertools.groupby(sorted(closed, key=key), key=key):
            group = tuple(axis for axis in members if axis in closed)
            if len(group) > 1 and is_open(group):
                groups.append(group)
                closed = [axis for axis in closed if axis not in group]
    for pair in itertools.combinations(closed, 2):
        if size_of[pair[0]] == size_of[pair[1]] and all(axis in closed for axis in pair) and is_open(pair):
            groups.append(pair)
            closed = [axis for axis in closed if axis not in pair]
    factors = dict.fromkeys(groups, 1)
    for axis in closed:
        size = size_of[axis]
        if axis[1] < 2:
            continue  # features, which are what they are
        if factor := next((f for f in FACTORS if size % f == 0 and takes((axis,), size + f)), 0):
            groups.append((axis,))
            factors[(axis,)] = factor

    # What stays closed although smaller sizes are taken has a limit, as of a table of positions.
    for group in _closed_groups(closed, set(groups), size_of):
        size = size_of[group[0]]
        if all(index == 1 and probe.call.tensors[name].ndim > 3 for name, index in group):
            continue  # channels of pictures: that one is stretched to three is no size that anybody meant to leave open
        if size > 1 and takes(group, size // 2):
            probe.notes.append(f"in forward: the size {size} of {axes_text(group)} is fixed: it may be {size // 2}, but not "
                               f"{_other_sizes(size)[0]}; an example of a smaller size may leave it open")  # fmt: skip

    # All together, at two sizes each that tell them apart.
    symbols: list[Symbol] = []
    for group in groups:
        is_batch = bool(base) and group[0] in base
        factor = factors[group]
        symbol = Symbol(_symbol_name(group[0], tensors, is_batch, {s.name for s in symbols}, factor), group, factor)
        symbol.hint, symbol.check = (3, 2) if is_batch else _other_sizes(size_of[group[0]] // factor)
        while symbol.hint in {s.hint for s in symbols}:
            symbol.hint += 1
        while symbol.check in {s.check for s in symbols} | {symbol.hint}:
            symbol.check += 1
        symbols.append(symbol)

    def together(chosen: list[Symbol]) -> bool:
        for attribute in ("hint", "check"):
            sizes = {axis: size for symbol in chosen for axis, size in symbol.sizes(getattr(symbol, attribute)).items()}
            alone = probe.leading({axis: size for axis, size in sizes.items() if axis in base})
            changed = {size_of[axis]: size for axis, size in sizes.items() if axis not in base}
            if alone is None or not _follow(probe.leading(sizes), alone, changed):
                return False
        return True

    if together(symbols):
        return symbols
    chosen: list[Symbol] = []
    for symbol in symbols:
        size = size_of[symbol.axes[0]]
        if together(chosen + [symbol]):
            chosen.append(symbol)
        elif (joined := _joined(symbol, [s for s in chosen if s.axes[0] not in base and size_of[s.axes[0]] == size], chosen, together)) is not None:
            chosen = joined
        elif symbol.factor == 1 and size > 1:  # pooling hides how much more a multiple is; what is 1 is stretched to the others
            probe.notes.append(f"in forward: the size {size} of {axes_text(symbol.axes)} is fixed: it may be "
                               "another by itself, but not together with the other open sizes")  # fmt: skip
    return chosen


def with_fixed(probe: Probe, symbols: list[Symbol], numbers: Mapping[str, int]) -> list[Symbol]:
    """The symbols that stay open where the others are bound to numbers, which the examples get. Raises SizeError."""
    by_name = {symbol.name: symbol for symbol in symbols}
    sizes: dict[Axis, int] = {}
    for name, number in numbers.items():
        if name not in by_name:
            raise SizeError(f'no size is called "{name}"; the open sizes are: {", ".join(sorted(by_name)) or "none"}')
        if number < 1:
            raise SizeError(f'the size "{name}" is {number}, expected at least 1')
        sizes |= by_name[name].sizes(number)
    if sizes:
        probe.call.tensors = probe.resized(sizes)
        try:
            probe.run({})
        except Exception as error:  # whatever a stranger's forward raises
            given = ", ".join(f"{name}={number}" for name, number in numbers.items())
            why = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
            raise SizeError(f"{type(probe.call.module).__name__} fails with {given}: {why}") from error
    return [symbol for symbol in symbols if symbol.name not in numbers]


def _joined(symbol: Symbol, alike: list[Symbol], chosen: list[Symbol], together: Callable[[list[Symbol]], bool]) -> list[Symbol] | None:
    """The chosen symbols with `symbol` being the same as one of those that are alike, where it can be; each was open by itself, as
    a size of 1 is that is stretched to any other."""
    for other in alike:
        if other.factor == symbol.factor:
            both = replace(other, axes=other.axes + symbol.axes)
            if together(changed := [both if s is other else s for s in chosen]):
                return changed
    return None


def _closed_groups(closed: list[Axis], opened: set[tuple[Axis, ...]], size_of: dict[Axis, int]) -> Iterator[tuple[Axis, ...]]:
    """The axes by themselves, and those of one size."""
    axes = [axis for axis in closed if (axis,) not in opened]
    yield from ((axis,) for axis in axes)
    for _, members in itertools.groupby(sorted(axes, key=lambda axis: size_of[axis]), key=lambda axis: size_of[axis]):
        if len(group := tuple(members)) > 1:
            yield group


def _symbol_name(axis: Axis, tensors: dict[str, Tensor], is_batch: bool, taken: set[str], factor: int) -> str:
    name, number = axis
    names = AXIS_NAMES.get(tensors[name].dim(), ())
    wanted = "batch" if is_batch else names[number] if number < len(names) else "length"
    if factor > 1:
        wanted += f"_by_{factor}"
    if wanted in taken and len(tensors) > 1:
        wanted = f"{name}_{wanted}"
    return unique(wanted, taken)


def unique(wanted: str, taken: set[str]) -> str:
    return next(name for name in itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(1))) if name not in taken)
