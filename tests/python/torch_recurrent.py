"""Recurrent layers in PyTorch, with what only Keras says of them put together step by step."""

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"tanh": torch.tanh, "relu": F.relu, "sigmoid": torch.sigmoid, "hard_sigmoid": F.hardsigmoid, "softsign": F.softsign}
MERGE = {"concat": lambda a, b: torch.cat([a, b], -1), "sum": torch.add, "mul": torch.mul, "ave": lambda a, b: (a + b) / 2}
KERAS = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True, "return_sequences": True, "return_state": False,
         "go_backwards": False, "merge_mode": "concat", "stateful": False, "separate_directions": False,
         "zero_output_for_mask": False, "input_dropout": 0, "recurrent_dropout": 0}  # fmt: skip


class Cell(nn.Module):
    """LSTMCell takes its states as one argument."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *states):
        return self.layer(x, *([states] if len(states) == 2 else states))


class KerasCell(nn.Module):
    """A cell with settings that PyTorch's do not have: a layer of one step."""

    def __init__(self, kind, a):
        super().__init__()
        self.inner = [Recurrent(kind.removesuffix("Cell"), a | {"return_state": True})]  # whose parameters are the cell's own
        for name, parameter in self.inner[0].layer.named_parameters():
            self.register_parameter(name.removesuffix("_l0"), parameter)

    def forward(self, x, *states):
        states = states[0] if states and isinstance(states[0], tuple) else states
        _, *after = self.inner[0](x.unsqueeze(0), *states)
        return tuple(after) if len(after) == 2 else after[0]


def cell_of(kind, a):
    """PyTorch's cell, or what does the same."""
    if all(a.get(name, default) == default for name, default in KERAS.items()) and a.get("nonlinearity") in (None, "tanh", "relu"):
        return getattr(nn, kind)(**{name: value for name, value in a.items() if name not in KERAS})
    return KerasCell(kind, a)


class Stack(nn.Module):
    """The cells, one after the other in each step; dropout is none."""

    def __init__(self, cells, return_sequences=True, return_state=False, go_backwards=False):
        super().__init__()
        self.layer = nn.Module()
        self.layer.cells = nn.ModuleList(cell_of(cell["type"], cell["attributes"]) for cell in cells)
        self.kinds = [cell["type"] for cell in cells]
        self.sizes = [cell["attributes"]["hidden_size"] for cell in cells]
        self.return_sequences, self.return_state, self.go_backwards = return_sequences, return_state, go_backwards

    def forward(self, x, *given):
        given = list(given)
        states = []
        for kind, size in zip(self.kinds, self.sizes):
            own = [given.pop(0) if given else x.new_zeros(len(x), size) for _ in range(2 if kind == "LSTMCell" else 1)]
            states.append(tuple(own) if len(own) == 2 else own[0])
        steps = []
        for step in (x.flip(1) if self.go_backwards else x).unbind(1):
            for i, cell in enumerate(self.layer.cells):
                states[i] = cell(step, states[i])
                step = states[i][0] if isinstance(states[i], tuple) else states[i]
            steps.append(step)
        flat = [state for own in states for state in (own if isinstance(own, tuple) else [own])]
        return [torch.stack(steps, 1) if self.return_sequences else steps[-1], *(flat if self.return_state else [])]


class Recurrent(nn.Module):
    def __init__(self, kind, a):
        super().__init__()
        self.a = KERAS | a
        own = {name: value for name, value in a.items() if name not in KERAS}
        self.activation = ACTIVATIONS[own.get("nonlinearity", self.a["activation"])]
        self.gate = ACTIVATIONS[self.a["recurrent_activation"]]
        if own.get("nonlinearity") not in (None, "tanh", "relu"):
            own["nonlinearity"] = "tanh"
        self.is_plain = own.get("nonlinearity") == a.get("nonlinearity") and all(
            self.a[name] == KERAS[name] for name in ("activation", "recurrent_activation", "reset_after", "input_dropout", "recurrent_dropout", "separate_directions"))  # fmt: skip
        self.is_torchs = self.is_plain and self.a == KERAS | own
        self.layer = getattr(nn, kind)(**own)
        self.directions = 2 if self.layer.bidirectional else 1
        if self.a["separate_directions"]:  # the layers on top read one direction
            for name, weight in list(self.layer.named_parameters()):
                if name.startswith("weight_ih") and not name.startswith("weight_ih_l0"):
                    setattr(self.layer, name, nn.Parameter(weight.detach()[:, : self.layer.hidden_size].clone()))
        if not self.a["reset_after"]:
            for name in [name for name, _ in self.layer.named_parameters() if name.startswith("bias_hh")]:
                delattr(self.layer, name)

    def step(self, x, states, suffix):
        """The states after one step."""
        get = lambda name: getattr(self.layer, name + suffix, None)  # noqa: E731
        gates = F.linear(x, get("weight_ih"), get("bias_ih"))
        weight, bias, h = get("weight_hh"), get("bias_hh"), states[0]
        if isinstance(self.layer, nn.LSTM):
            i, f, g, o = (gates + F.linear(h, weight, bias)).chunk(4, -1)
            c = self.gate(f) * states[1] + self.gate(i) * self.activation(g)
            return [self.gate(o) * self.activation(c), c]
        if isinstance(self.layer, nn.RNN):
            return [self.activation(gates + F.linear(h, weight, bias))]
        (r, z, n), own = gates.chunk(3, -1), F.linear(h, weight, bias).chunk(3, -1)
        r, z = self.gate(r + own[0]), self.gate(z + own[1])
        n = n + (r * own[2] if self.a["reset_after"] else F.linear(r * h, weight.chunk(3)[2]))
        return [z * h + (1 - z) * self.activation(n)]

    def run(self, x, states):
        """What PyTorch's module gives: the sequence, and the states of all layers and directions."""
        if self.is_plain:
            y, hidden = self.layer(x, (tuple(states) if isinstance(self.layer, nn.LSTM) else states[0]) if states else None)
            return y, list(hidden) if isinstance(hidden, tuple) else [hidden]
        x = x.transpose(0, 1) if self.layer.batch_first else x
        finals = [[], []] if isinstance(self.layer, nn.LSTM) else [[]]
        read = [x] * self.directions
        for layer in range(self.layer.num_layers):
            outputs = []
            for direction in range(self.directions):
                x = read[direction]
                index = layer * self.directions + direction
                now = [s[index] for s in states] or [x.new_zeros(x.shape[1], self.layer.hidden_size) for _ in finals]
                steps = []
                for step in x.flip(0) if direction else x:
                    now = self.step(step, now, f"_l{layer}" + "_reverse" * direction)
                    steps.append(now[0])
                outputs.append(torch.stack(steps[::-1] if direction else steps))
                for kept, state in zip(finals, now):
                    kept.append(state)
            read = outputs if self.a["separate_directions"] else [torch.cat(outputs, -1)] * self.directions
        x = torch.cat(read, -1) if self.a["separate_directions"] else read[0]
        return x.transpose(0, 1) if self.layer.batch_first else x, [torch.stack(kept) for kept in finals]

    def forward(self, x, *states):
        if self.is_torchs:
            return self.layer(x, *([states] if len(states) == 2 else states))
        if states and states[0].dim() == 2:  # Keras's: each direction's in turn
            kinds = 2 if isinstance(self.layer, nn.LSTM) else 1
            each = [torch.stack(states[kind::kinds]).unflatten(0, (self.directions, self.layer.num_layers)) for kind in range(kinds)]
            states = [state.transpose(0, 1).flatten(0, 1) for state in each]
        if self.a["go_backwards"]:
            x = x.flip(1 if self.layer.batch_first else 0)
        y, states = self.run(x, states)
        outputs = y.chunk(self.directions, -1) if self.a["return_sequences"] else list(states[0][-self.directions :])
        if self.a["merge_mode"] and self.directions == 2:
            outputs = [MERGE[self.a["merge_mode"]](*outputs)]
        if self.a["return_state"]:
            indices = [layer * self.directions + direction for direction in range(self.directions) for layer in range(self.layer.num_layers)]
            states = [state[index] for index in indices for state in states]
        return [*outputs, *states]


def reference(kind, attributes):
    """The module, and whether PyTorch says it by one of its own."""
    if kind == "StackedRNNCells":
        return Stack(**attributes), False
    if kind.endswith("Cell"):
        cell = cell_of(kind, attributes)
        return Cell(cell), not isinstance(cell, KerasCell)
    module = Recurrent(kind, attributes)
    return module, module.is_torchs
