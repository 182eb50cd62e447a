"""From the call of a function to its entry."""

from __future__ import annotations

import inspect
from typing import Any, Callable

from torch import Tensor, nn

from .arguments import Argument, bind, function_name
from .entries import Entry
from .modules import constructor, is_default, simplified
from .rewrites import REWRITES
from .tables import (
    CASTS, DOCUMENTED_ARGUMENT, FILLED, MODULE_FORMS, ModuleForm, NO_ATTRIBUTES, OPERANDS, OWN_STATISTICS,
)  # fmt: skip
from .tensors import tensors_in
from .values import Values


class FunctionEntries(Values):
    """Calls of functions and of methods of tensors as entries."""

    def _function_entry(self, name: str, func: Callable, args: tuple, kwargs: dict, made: list[Tensor]) -> Entry:
        if name in CASTS:
            return Entry("to", "to", {"dtype": self.json(made[0].dtype)}, inputs=[self.value_of(args[0])])
        if name in ("T", "mT"):
            order = list(range(args[0].dim()))
            order = order[::-1] if name == "T" else order[:-2] + [order[-1], order[-2]]
            return Entry("permute", "permute", {"dims": order}, inputs=[self.value_of(args[0])])
        plain = function_name(name)
        bound = bind(func, plain, args, kwargs)
        given = {argument.name: argument.value for argument in bound}
        if given.get("out") is not None:
            raise ValueError("it writes into `out`")
        if plain.endswith("dropout") and (given.get("training") or given.get("train")) and not self.in_training:
            raise ValueError("it stays active in evaluation mode (training=True)")
        if given.get("dropout_p"):
            raise ValueError("it drops scores in evaluation, too (dropout_p)")
        entry = Entry(plain, plain)
        form = MODULE_FORMS.get(plain)
        if plain in OPERANDS and not self._is_without_operands(form, given):
            return self._operand_entry(plain, bound, given)
        if plain == "unfold" and func is nn.functional.unfold:
            form = ModuleForm("Unfold")
        if form and form.type in ("Softmax", "LogSoftmax", "Softmin") and given.get("dim") is None:
            dim = nn.functional._get_softmax_dim(plain, args[0].dim(), 3)
            bound = [Argument("dim", dim) if a.name == "dim" else a for a in bound]
        for argument in bound:
            self._bind_argument(entry, argument, form, args)
        if plain in ("max", "min") and len(entry.inputs) == 2:
            entry.type += "imum"
        if rewrite := REWRITES.get(plain):
            entry.type, attributes = rewrite(entry.attributes, next(tensors_in(args), None), made[0])
            entry.attributes = {name: self.json(value) for name, value in attributes.items()}
            if entry.type in ("std", "var"):
                self._fix_counted_sizes(entry, next(tensors_in(args)))
            if entry.type == "reshape":
                entry.inputs = entry.inputs[:1]
            elif entry.type in FILLED:
                entry.inputs = []
        if form:
            entry.type = form.type
            kind = getattr(nn, form.type)
            entry.attributes = {name: simplified(kind, name, value) for name, value in entry.attributes.items()} | form.fixed
            defaults = constructor(kind) | dict.fromkeys(form.own, inspect.Parameter.empty)
            if unknown := [n for n in entry.attributes if n not in defaults]:
                raise ValueError(f"{form.type} has no argument {unknown[0]}")
            entry.attributes = {n: entry.attributes[n] for n in defaults
                                if n in entry.attributes and not is_default(entry.attributes[n], defaults[n])}  # fmt: skip
        self._fix_sizes_of_numbers(entry, next(tensors_in(args), None))
        return entry

    def _fix_counted_sizes(self, entry: Entry, x: Tensor) -> None:
        """How many elements a moment is of stands in what Keras computes, unless nothing is taken off: it has to be one size, and not the
        smaller of two."""
        if entry.attributes.get("correction", 1) == 0:
            return
        dims = entry.attributes.get("dim")
        for dim in range(x.dim()) if dims is None else [dims] if isinstance(dims, int) else dims:
            self.json(x.shape[dim])

    def _is_without_operands(self, form: ModuleForm | None, given: dict[str, Any]) -> bool:
        """Whether a module of torch.nn says the call, which gives no parameters and, of normalised sizes, no open ones."""
        open_sizes = any(isinstance(self.json(size), str) for size in given.get("normalized_shape", ()))
        return form is not None and given.get("weight") is None and given.get("bias") is None and not open_sizes

    def _operand_entry(self, kind: str, bound: list[Argument], given: dict[str, Any]) -> Entry:
        """A function with its parameters as inputs: by position as long as none is left out, the others by name."""
        if statistics := OWN_STATISTICS.get(kind):
            if given.get("running_mean") is not None and given[statistics]:
                raise ValueError(f"it changes its running statistics in evaluation, too ({statistics}=True)")
        if given.get("max_norm") is not None:
            raise ValueError("it changes its table in place (max_norm)")
        entry = Entry(kind, kind)
        self._fix_sizes_of_numbers(entry, bound[0].value)
        missing = False
        for argument in bound:
            name, value = argument.name, argument.value
            if name in OPERANDS[kind]:
                if value is None:
                    missing = True
                elif missing:
                    entry.named_inputs[name] = self.value_of(value)
                else:
                    entry.inputs.append(self.value_of(value))
            elif isinstance(value, Tensor):
                entry.inputs.append(self.value_of(value))
            elif name not in NO_ATTRIBUTES | {"use_input_stats", "cudnn_enabled", "max_norm", "norm_type"} and (argument.required or isinstance(value, str) or not is_default(value, argument.default)):
                entry.attributes[name] = self.json(value)
        return entry

    def _bind_argument(self, entry: Entry, argument: Argument, form: ModuleForm | None, args: tuple) -> None:
        name, value = argument.name, argument.value
        found = list(tensors_in(value))
        if found:
            if isinstance(value, (list, tuple)) and len(found) != len(value):
                raise ValueError(f"its argument {name} mixes tensors and others")
            if argument.required or isinstance(value, (list, tuple)):
                entry.inputs += [self.value_of(t) for t in found]
            else:
                entry.named_inputs[name] = self.value_of(value)
        elif name in NO_ATTRIBUTES or value is None and name in ("out", "generator", *OPERANDS.get(entry.type, ())):
            pass
        elif form:
            # The function's default may differ from the module's: all are looked at, and the module's decides.
            name = form.rename.get(name, name)
            if name in constructor(getattr(nn, form.type)):
                if value == [] and argument.default == []:
                    value = None  # a stride that is the kernel's size
                entry.attributes[name] = self.json(value)
            elif name in form.own:
                entry.attributes |= {} if is_default(value, argument.default) else {name: self.json(value)}
            elif not is_default(value, argument.default):
                raise ValueError(f"its argument {name} has no place in {form.type}")
        elif argument.required or not is_default(value, argument.default):
            entry.attributes[DOCUMENTED_ARGUMENT.get((entry.type, name), name)] = self.json(value)
