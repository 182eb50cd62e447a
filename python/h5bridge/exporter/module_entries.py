"""From the call of a module to its entry."""

from __future__ import annotations

import copy
import inspect
from typing import Any, Callable

import torch
from torch import nn
from torch.nn.utils import parametrize

from .arguments import bind_signature
from .entries import OF_THE_MODEL, Entry, Settings, is_causal_mask, is_causal_tensor, is_zero, truth_of_mask
from .modules import (
    SET_BY_CALLS, TRACED_WITH_NUMBERS, UPWARDS, constructor, forward_of, is_default, leaf_type, made_plain,
    makes_its_weights, module_arguments, output_padding_of, run_leaf, simplified, unwrapped,
)  # fmt: skip
from .tables import INPUTS_BY_PLACE, MODULE_FORMS
from .tensors import leaves, tensors_in, with_sizes
from .values import Values


class ModuleEntries(Values):
    """Calls of modules of torch.nn as entries; other modules are entered."""

    def call_module(self, call: Callable, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        if self._inside_leaf:
            return call(module, *args, **kwargs)
        if (inner := unwrapped(module)) is not module:
            return inner(*args, **kwargs)
        if isinstance(module, torch.jit.ScriptModule):
            self.stop(f"{self._module_name(module)}: is TorchScript; export the class it was made from")
        self._stack.append(module)
        try:
            kind = leaf_type(module)
            # The model itself, whose parameters have no module's name, is the function of them that its forward calls, if there is one.
            is_model = self.paths.get(id(module)) == "" and not isinstance(module, (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention))
            if kind is None or makes_its_weights(module) or is_model and any(True for _ in module.parameters()):
                return call(module, *args, **kwargs)
            with self.sizes.ignoring_conditions():
                return self._call_leaf(kind, module, args, kwargs)
        finally:
            self._stack.pop()

    def call_base(self, kind: type, forward: Callable, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        """`super().forward(...)` in a class derived from one that no function stands for."""
        if self._inside_leaf or leaf_type(module) is kind:
            return forward(module, *args, **kwargs)
        with self.sizes.ignoring_conditions():
            return self._call_leaf(kind, module, args, kwargs)

    def _module_name(self, module: nn.Module) -> str:
        return f"{self.paths.get(id(module)) or 'an unregistered module'} ({type(module).__name__})"

    def _call_leaf(self, kind: type | None, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        before = [(t, t._version) for t in tensors_in([args, kwargs])]
        self._inside_leaf = True
        try:
            result = self._run_leaf(kind, module, args, kwargs)
        except ValueError as error:
            self.stop(f"{self._module_name(module)}: {error}")
        finally:
            self._inside_leaf = False
        changed = [t for t, version in before if t._version != version]
        try:
            entry = self._leaf_entry(kind, module, args, kwargs)
        except ValueError as error:
            self.problem(f"{self._module_name(module)}: {error}")
            entry = None
        return self._add(entry, result, changed, before)

    def _run_leaf(self, kind: type, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        function = next((name for name, form in MODULE_FORMS.items() if form.type == kind.__name__ and name in TRACED_WITH_NUMBERS), None)
        own = {name: getattr(module, name) for name in constructor(kind) if hasattr(module, name)} if function else {}
        if not any(isinstance(value, torch.SymInt) for value in leaves(own)):
            return run_leaf(kind, module, args, kwargs)
        self._refuse_open_ceil_mode(function, own)
        module = copy.copy(module)
        for name, value in own.items():
            setattr(module, name, self._hinted(value))
        x = args[0] if args else kwargs["input"]
        return with_sizes(run_leaf(kind, module, args, kwargs), TRACED_WITH_NUMBERS[function](x, own))

    def _leaf_entry(self, kind: type | None, module: nn.Module, args: tuple, kwargs: dict) -> Entry:
        if parametrize.is_parametrized(module):
            raise ValueError("has a parametrization, which only modules of one weight may have; torch.nn.utils.parametrize.remove_parametrizations makes it plain")
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        if hooks:
            raise ValueError(f"has a forward hook ({type(hooks[0]).__name__}), which would be lost{made_plain(hooks[0])}")
        path = self.paths.get(id(module))
        if path is None and any(True for _ in module.parameters()):
            raise ValueError("has parameters that are not in the model's state_dict")
        arguments = {name: self.json(value) for name, value in module_arguments(kind, module).items()}
        is_model = path == "" and any(True for _ in module.parameters())
        entry = Entry(path or OF_THE_MODEL * is_model + kind.__name__.lower(), kind.__name__, module=bool(path) or is_model)
        call_arguments, defaults = {}, {}
        for argument in bind_signature(inspect.signature(forward_of(kind, module)), args, kwargs):
            if kind is nn.MultiheadAttention and argument.name in ("attn_mask", "key_padding_mask"):
                argument.value = truth_of_mask(argument.value)
                if argument.name == "attn_mask" and is_causal_tensor(argument.value):
                    call_arguments["use_causal_mask"] = True
                    continue
            found = list(tensors_in(argument.value))
            if found and argument.name == "hx":  # of recurrent modules: h_0 and c_0, which are zeros where they are left out
                states = [self.value_of(t) for t in found]
                if not all(is_zero(state) for state in states):
                    entry.inputs += states
            elif argument.required or found and (isinstance(argument.value, (list, tuple)) or argument.name in INPUTS_BY_PLACE.get(kind, ())):
                entry.inputs += [self.value_of(t) for t in found]
            elif found:
                entry.named_inputs[argument.name] = self.value_of(argument.value)
            elif not is_default(argument.value, argument.default):
                call_arguments[argument.name] = self.json(argument.value)
            if not found and not argument.required:
                defaults[argument.name] = argument.default
        if kind is nn.MultiheadAttention:
            call_arguments |= self._without_causal_mask(entry)
        if kind in UPWARDS:
            defaults = {"output_padding": arguments.pop("output_padding", 0)}
            call_arguments = {name: simplified(kind, name, self.json(value)) for name, value in output_padding_of(module, *args, **kwargs).items()}
            call_arguments = {name: value for name, value in (defaults | call_arguments).items() if value != 0}
        entry.settings = Settings(arguments, call_arguments, defaults)
        entry.attributes = entry.settings.whole()
        self._fix_sizes_of_numbers(entry, next(tensors_in([args, kwargs]), None))
        if path is not None:
            first = self._defined.setdefault(id(module), entry)
            if first is not entry:
                entry.call, entry.wanted = first, path
                entry.attributes = entry.settings.other_than(first.settings)
                if entry.attributes and kind not in SET_BY_CALLS:
                    raise ValueError("is called twice with different settings")
        return entry

    def _without_causal_mask(self, entry: Entry) -> dict[str, Any]:
        """A mask that lets each query attend to no later step than its own is a setting, which leaves lengths open."""
        if not is_causal_mask(entry.named_inputs.get("attn_mask")):
            return {}
        del entry.named_inputs["attn_mask"]
        return {"use_causal_mask": True}
