#include "facets/torch_source/fused_activation.h"
#include "facets/torch_source/signature.h"
#include "layers/recurrent/kinds.h"
#include "layers/recurrent/stacked_cells.h"
#include "layers/recurrent/torch_script.h"

namespace h5bridge::recurrent {
namespace {

// PyTorch gives the output and the states, of which an LSTM's are two.
std::string targets(const std::vector<std::string>& names) {
  if (names.size() < 3) return joined(names);
  const bool no_states = names[1] == "_" && names[2] == "_";
  return names[0] + ", " + (no_states ? "_" : "(" + names[1] + ", " + names[2] + ")");
}

std::vector<std::string> states_of(const SourceCall& call) {
  std::vector<std::string> states;
  for (const Python& state : call.list("hx")) states.push_back(state.text);
  return states;
}

// Behind the input, as PyTorch takes them.
std::string behind_input(const SourceCall& call) {
  const std::vector<std::string> states = states_of(call);
  if (states.empty()) return "";
  return ", " + (states.size() == 1 ? states[0] : python_tuple(states));
}

std::string settings_of(const std::string& type) {
  return "(input_size, hidden_size, *, num_layers, " + std::string(type == "RNN" ? "nonlinearity, " : "") +
         "bias, batch_first, dropout, bidirectional" + (type == "LSTM" ? ", proj_size" : "");
}

// What nn.LSTM and its kin compute, whatever is made of it.
std::string inner_misfit(const Layer& layer) {
  const Attributes& a = layer.attributes;
  if (a.number("input_dropout") > 0) return "input_dropout";
  if (a.number("recurrent_dropout") > 0) return "recurrent_dropout";
  if (!has_second_bias(a)) return "reset_after";
  if (a.boolean("separate_directions") && a.integer("num_layers") > 1) return "separate_directions";
  if (layer.type == "RNN")
    return a.text("nonlinearity") == "tanh" || a.text("nonlinearity") == "relu" ? "" : "nonlinearity";
  if (a.text("activation") != "tanh") return "activation";
  return a.text("recurrent_activation") == "sigmoid" ? "" : "recurrent_activation";
}

bool has_keras_states(const SourceCall& call) {
  const auto index = call.index_of("hx");
  return index && *index < call.input_types.size() && !call.input_types[*index].empty() &&
         call.input_types[*index][0].shape.size() == 2;
}

// PyTorch's own module, called as it is.
TorchSource plain(const std::string& type) {
  TorchSource result = torch_module("nn." + type + settings_of(type) + ")");
  result.misfit = [](const Layer& layer) {
    const std::string inner = inner_misfit(layer);
    if (!inner.empty()) return inner;
    const Attributes& a = layer.attributes;
    for (const char* keras : {"return_state", "go_backwards", "stateful"})
      if (a.boolean(keras)) return std::string(keras);
    if (!a.boolean("return_sequences")) return std::string("return_sequences");
    return a.at("merge_mode") == AttributeValue("concat") ? std::string() : std::string("merge_mode");
  };
  result.takes_no = {"mask"};
  result.call = [](const SourceCall& call) -> Python {
    if (has_keras_states(call)) {
      std::vector<std::string> states = states_of(call);
      for (std::string& state : states) state += ".unsqueeze(0)";
      const bool is_one = call.attributes().integer("num_layers") == 1 && !call.attributes().boolean("bidirectional");
      if (!is_one) throw Unsupported("with states of each direction it has no Python source");
      return call.self + "(" + call.input().text + ", " + (states.size() == 1 ? states[0] : python_tuple(states)) + ")";
    }
    return call.self + "(" + call.input().text + behind_input(call) + ")";
  };
  result.targets = targets;
  result.output_names = {"x", "h", "c"};
  result.calls_module_plainly = false;
  return result;
}

constexpr PythonHelper kOutputs{"KerasOutputs", R"py(class KerasOutputs:
    """What Keras's recurrent layers give, made of what PyTorch's do."""

    def __init__(
        self,
        *args,
        return_sequences=True,
        return_state=False,
        go_backwards=False,
        merge_mode="concat",
        stateful=False,
        **settings,
    ):
        super().__init__(*args, **settings)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.merge_mode = merge_mode
        self.stateful = stateful
        self.kept = None

    def stacked(self, states):
        """As PyTorch has them; Keras has one direction after the other, of two axes."""
        if not states or states[0].ndim == 3:
            return states
        count, kinds = 1 + self.bidirectional, 2 if self.mode == "LSTM" else 1
        places = [
            direction * self.num_layers + layer
            for layer in range(self.num_layers)
            for direction in range(count)
        ]
        return [
            torch.stack([states[place * kinds + kind] for place in places])
            for kind in range(kinds)
        ]

    def merged(self, parts):
        if self.merge_mode is None or len(parts) == 1:
            return list(parts)
        if self.merge_mode == "concat":
            return [torch.cat(parts, -1)]
        if self.merge_mode == "mul":
            return [parts[0] * parts[1]]
        total = parts[0] + parts[1]
        return [total / 2 if self.merge_mode == "ave" else total]

    def run(self, x, initial, mask):
        """The outputs of all steps, the states, and the output of each direction's last."""
        given = None
        if initial:
            given = tuple(initial) if self.mode == "LSTM" else initial[0]
        y, states = super().forward(x, given)
        states = states if isinstance(states, tuple) else (states,)
        return y, states, states[0][-1 - self.bidirectional :]

    def forward(self, x, *states, mask=None):
        count = 1 + self.bidirectional
        if self.go_backwards:
            x = x.flip(1 if self.batch_first else 0)
            mask = mask if mask is None else mask.flip(1)
        y, states, last = self.run(x, self.stacked(states) or self.kept or (), mask)
        if self.stateful:
            self.kept = [state.detach() for state in states]
        if not self.return_sequences:
            outputs = self.merged(last.unbind(0))
        else:
            is_whole = self.merge_mode == "concat"
            outputs = [y] if is_whole else self.merged(y.chunk(count, -1))
        if not self.return_state:
            return (*outputs, *states)
        for direction in range(count):
            for layer in range(self.num_layers):
                outputs += [state[layer * count + direction] for state in states]
        return tuple(outputs))py"};

constexpr PythonHelper kSteps{"KerasSteps", R"py(class KerasSteps:
    """What Keras's recurrent layers compute in a step, with its dropout."""

    def masks(self, like, rate):
        """Dropout that is the same in every step; a mask for each gate, or one for all."""
        count = self.gates if self.recurrent_dropout > 0 else 1
        if not self.training or rate == 0:
            return []
        return [F.dropout(torch.ones_like(like), rate) for _ in range(count)]

    def product(self, x, weight, bias, masks):
        if len(masks) <= 1:
            return F.linear(x * masks[0] if masks else x, weight, bias)
        weights = weight.chunk(len(masks))
        biases = [None] * len(masks) if bias is None else bias.chunk(len(masks))
        parts = zip(masks, weights, biases)
        return torch.cat([F.linear(x * mask, w, b) for mask, w, b in parts], -1)

    def step(self, x, states, weight, bias, masks):
        h = states[0]
        act, gate = self.activation, self.recurrent_activation
        if self.mode == "RNN":
            return [act(x + self.product(h, weight, bias, masks))]
        if self.mode == "LSTM":
            i, f, g, o = (x + self.product(h, weight, bias, masks)).chunk(4, -1)
            c = gate(f) * states[1] + gate(i) * act(g)
            return [gate(o) * act(c), c]
        x = x.chunk(3, -1)
        y = self.product(h, weight, bias, masks).chunk(3, -1)
        r, z = gate(x[0] + y[0]), gate(x[1] + y[1])
        if self.reset_after:
            n = r * y[2]
        else:
            h_masked = h * masks[-1] if masks else h
            n = F.linear(r * h_masked, weight.chunk(3)[2])
        return [z * h + (1 - z) * act(x[2] + n)])py"};

constexpr PythonHelper kStepwise{"KerasRecurrent",
                                 R"py(class KerasRecurrent(KerasOutputs, KerasSteps, nn.Module):
    """A recurrent layer of Keras's, step by step; its weights have PyTorch's names."""

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        reset_after=True,
        separate_directions=False,
        zero_output_for_mask=False,
        input_dropout=0.0,
        recurrent_dropout=0.0,
        **outputs,
    ):
        super().__init__(**outputs)
        self.mode = mode
        self.gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[mode]
        self.hidden_size = hidden_size
        self.output_size = proj_size or hidden_size
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.reset_after = reset_after
        self.separate_directions = separate_directions
        self.zero_output_for_mask = zero_output_for_mask
        self.input_dropout = input_dropout
        self.recurrent_dropout = recurrent_dropout
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            width = self.output_size * (1 if separate_directions else 1 + bidirectional)
            width = width if layer else input_size
            for direction in range(1 + bidirectional):
                shapes = {"weight_ih": (rows, width)}
                shapes["weight_hh"] = (rows, self.output_size)
                if bias:
                    shapes["bias_ih"] = (rows,)
                if bias and reset_after:
                    shapes["bias_hh"] = (rows,)
                if self.output_size != hidden_size:
                    shapes["weight_hr"] = (self.output_size, hidden_size)
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape).uniform_(-0.1, 0.1))
                    setattr(self, name + self.suffix(layer, direction), parameter)

    def suffix(self, layer, direction):
        return f"_l{layer}" + ("_reverse" if direction else "")

    def direction(self, x, layer, direction, states, valid):
        """One layer in one direction: its outputs, its states, its last output."""
        suffix = self.suffix(layer, direction)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        w_ih, w_hh, b_ih, b_hh, w_hr = (getattr(self, n + suffix, None) for n in names)
        if direction:
            x, valid = x.flip(0), valid if valid is None else valid.flip(0)
        masks = self.masks(x[0], self.input_dropout)
        hidden_masks = self.masks(states[0], self.recurrent_dropout)
        last = x.new_zeros(x.shape[1], self.output_size)
        outputs = []
        for t, from_x in enumerate(self.product(x, w_ih, b_ih, masks)):
            following = self.step(from_x, states, w_hh, b_hh, hidden_masks)
            if w_hr is not None:
                following[0] = F.linear(following[0], w_hr)
            if valid is None:
                last = following[0]
            else:
                kept = torch.zeros_like(last) if self.zero_output_for_mask else last
                last = torch.where(valid[t], following[0], kept)
                pairs = zip(following, states)
                following = [torch.where(valid[t], new, old) for new, old in pairs]
            states = following
            outputs.append(last)
        y = torch.stack(outputs)
        return y.flip(0) if direction else y, states, last

    def run(self, x, initial, mask):
        count = 1 + self.bidirectional
        x = x.transpose(0, 1) if self.batch_first else x
        valid = None if mask is None else mask.bool().transpose(0, 1).unsqueeze(-1)
        reads, finals = [x] * count, []
        for layer in range(self.num_layers):
            outputs, lasts = [], []
            for direction in range(count):
                x = reads[direction]
                if layer:
                    x = F.dropout(x, self.dropout, self.training)
                states = [state[layer * count + direction] for state in initial]
                if not states:
                    states = [x.new_zeros(x.shape[1], self.output_size)]
                    if self.mode == "LSTM":
                        states.append(x.new_zeros(x.shape[1], self.hidden_size))
                y, states, last = self.direction(x, layer, direction, states, valid)
                outputs.append(y)
                lasts.append(last)
                finals.append(states)
            if self.separate_directions:
                reads = outputs
            else:
                reads = [torch.cat(outputs, -1)] * count
        y = torch.cat(reads, -1) if self.separate_directions else reads[0]
        y = y.transpose(0, 1) if self.batch_first else y
        states = [torch.stack(kind) for kind in zip(*finals)]
        return y, states, torch.stack(lasts))py",
                                 {&kOutputs, &kSteps}};

constexpr PythonHelper kCell{"KerasCell",
                             R"py(class KerasCell(KerasSteps, nn.Module):
    """A cell of Keras's; called as PyTorch's are, and its weights have their names."""

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        bias=True,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        reset_after=True,
        input_dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__()
        self.mode = mode
        self.gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[mode]
        self.hidden_size = hidden_size
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.reset_after = reset_after
        self.input_dropout = input_dropout
        self.recurrent_dropout = recurrent_dropout
        rows = self.gates * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        if bias:
            shapes["bias_ih"] = (rows,)
        if bias and reset_after:
            shapes["bias_hh"] = (rows,)
        for name, shape in shapes.items():
            parameter = nn.Parameter(torch.empty(shape).uniform_(-0.1, 0.1))
            setattr(self, name, parameter)

    def draw(self, x):
        """Dropout's masks, which are the same in every step of a call."""
        hidden = x.new_ones(x.shape[0], self.hidden_size)
        masks = self.masks(x, self.input_dropout)
        return masks, self.masks(hidden, self.recurrent_dropout)

    def forward(self, x, states=None, masks=None):
        if states is None:
            zeros = x.new_zeros(x.shape[0], self.hidden_size)
            states = (zeros, zeros) if self.mode == "LSTM" else zeros
        states = states if self.mode == "LSTM" else (states,)
        b_ih, b_hh = (getattr(self, name, None) for name in ("bias_ih", "bias_hh"))
        from_input, from_hidden = masks or self.draw(x)
        y = self.product(x, self.weight_ih, b_ih, from_input)
        states = self.step(y, states, self.weight_hh, b_hh, from_hidden)
        return tuple(states) if self.mode == "LSTM" else states[0])py",
                             {&kSteps}};

constexpr PythonHelper kStacked{"StackedRNNCells", R"py(class StackedRNNCells(nn.Module):
    """Keras's RNN of several cells, each of which reads what the one before it gives."""

    def __init__(
        self,
        cells,
        return_sequences=True,
        return_state=False,
        go_backwards=False,
        stateful=False,
        zero_output_for_mask=False,
    ):
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.kept = ()

    def first(self, x, given):
        """The states that each cell begins with: given in turn, or zeros."""
        given = list(given)
        result = []
        for cell in self.cells:
            is_lstm = cell.weight_ih.shape[0] == 4 * cell.hidden_size
            zeros = x.new_zeros(x.shape[0], cell.hidden_size)
            count = 2 if is_lstm else 1
            result.append([given.pop(0) if given else zeros for _ in range(count)])
        return result

    def forward(self, x, *states, mask=None):
        if self.go_backwards:
            x = x.flip(1)
            mask = mask if mask is None else mask.flip(1)
        states = self.first(x, states or self.kept)
        masks = [None] * len(self.cells)
        last = zeros = x.new_zeros(x.shape[0], self.cells[-1].hidden_size)
        outputs = []
        for t in range(x.shape[1]):
            y = x[:, t]
            valid = None if mask is None else mask[:, t].bool().unsqueeze(-1)
            for i, cell in enumerate(self.cells):
                given = tuple(states[i]) if len(states[i]) == 2 else states[i][0]
                if hasattr(cell, "draw"):
                    masks[i] = masks[i] or cell.draw(y)
                    following = cell(y, given, masks[i])
                else:
                    following = cell(y, given)
                following = [*following] if len(states[i]) == 2 else [following]
                y = following[0]
                if valid is not None:
                    pairs = zip(following, states[i])
                    following = [torch.where(valid, new, old) for new, old in pairs]
                states[i] = following
            if valid is not None:
                y = torch.where(valid, y, zeros if self.zero_output_for_mask else last)
            last = y
            outputs.append(y)
        states = [state for own in states for state in own]
        if self.stateful:
            self.kept = [state.detach() for state in states]
        y = torch.stack(outputs, 1) if self.return_sequences else last
        return (y, *states) if self.return_state else (y,))py"};

constexpr PythonHelper kLstm{"KerasLSTM",
                             R"py(class KerasLSTM(KerasOutputs, nn.LSTM):
    pass)py",
                             {&kOutputs}};
constexpr PythonHelper kGru{"KerasGRU",
                            R"py(class KerasGRU(KerasOutputs, nn.GRU):
    pass)py",
                            {&kOutputs}};
constexpr PythonHelper kRnn{"KerasRNN",
                            R"py(class KerasRNN(KerasOutputs, nn.RNN):
    pass)py",
                            {&kOutputs}};

// With what Keras makes of the outputs.
TorchSource of_keras(const PythonHelper& helper, const std::string& type) {
  TorchSource result = of_helper(
      helper, type + settings_of(type) + ", return_sequences, return_state, go_backwards, merge_mode, stateful)");
  result.misfit = inner_misfit;
  result.takes_no = {"mask"};
  result.script = script_at_once;
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input().text};
    for (std::string& state : states_of(call)) arguments.push_back(std::move(state));
    return call.self + "(" + joined(arguments) + ")" + (call.outputs.size() == 1 ? "[0]" : "");
  };
  result.first = [all = result.call](const SourceCall& call) -> Python { return all(call).text + "[0]"; };
  result.output_names = {"x", "h", "c"};
  result.calls_module_plainly = false;
  return result;
}

// What the arguments of KerasRecurrent and of KerasCell have in common.
Constructor with_functions(Constructor made, const Layer& layer) {
  const bool is_simple = layer.attributes.contains("nonlinearity");
  made.arguments.insert(made.arguments.begin(), {"mode", python_string(kind_of(layer.type).type), false});
  const auto activation = [&](const char* attribute, const char* argument, const char* fallback) {
    const Python function = keras_activation_function(layer.attributes.text(attribute), made.helpers);
    made.arguments.push_back({argument, function.text, true, function.text == fallback});
  };
  activation(is_simple ? "nonlinearity" : "activation", "activation", "torch.tanh");
  if (!is_simple) activation("recurrent_activation", "recurrent_activation", "torch.sigmoid");
  return made;
}

// With other activations, masks, dropout in its steps.
TorchSource step_by_step(const std::string& type) {
  std::string settings = settings_of(type);
  if (type == "RNN") settings.erase(settings.find("nonlinearity, "), std::string("nonlinearity, ").size());
  TorchSource result =
      of_helper(kStepwise, type + settings + (type == "GRU" ? ", reset_after" : "") +
                               ", separate_directions, zero_output_for_mask, input_dropout, recurrent_dropout, "
                               "return_sequences, return_state, go_backwards, merge_mode, stateful)");
  result.misfit = [](const Layer&) { return std::string(); };
  result.constructor = [inner = result.constructor](const Layer& layer) { return with_functions(inner(layer), layer); };
  result.script = [made = result.constructor](const Layer& layer) { return script_of_steps(layer, made(layer)); };
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input().text};
    for (std::string& state : states_of(call)) arguments.push_back(std::move(state));
    if (const auto mask = call.operand("mask")) arguments.push_back("mask=" + mask->text);
    return call.self + "(" + joined(arguments) + ")" + (call.outputs.size() == 1 ? "[0]" : "");
  };
  result.first = [all = result.call](const SourceCall& call) -> Python { return all(call).text + "[0]"; };
  result.output_names = {"x", "h", "c"};
  result.calls_module_plainly = false;
  return result;
}

TorchSource as_cell(TorchSource result) {
  result.call = [](const SourceCall& call) -> Python {
    return call.self + "(" + call.input().text + behind_input(call) + ")";
  };
  result.output_names = {"h", "c"};
  result.calls_module_plainly = false;
  return result;
}

// What nn.LSTMCell and its kin compute: with tanh, or with a ReLU where there is one function alone.
TorchSource cell(const std::string& type, const std::string& settings) {
  TorchSource result = as_cell(torch_module("nn." + type + "(input_size, hidden_size, *, bias" + settings + ")"));
  result.misfit = [inner = result.misfit](const Layer& layer) {
    const Attributes& a = layer.attributes;
    if (a.contains("activation")) return a.text("activation") == "tanh" ? inner(layer) : std::string("activation");
    const std::string& function = a.text("nonlinearity");
    return function == "tanh" || function == "relu" ? inner(layer) : std::string("nonlinearity");
  };
  return result;
}

TorchSource cell_step_by_step(const std::string& type) {
  const std::string reset = type == "GRUCell" ? ", reset_after" : "";
  TorchSource result = as_cell(
      of_helper(kCell, type + "(input_size, hidden_size, *, bias" + reset + ", input_dropout, recurrent_dropout)"));
  result.misfit = [](const Layer&) { return std::string(); };
  result.constructor = [inner = result.constructor](const Layer& layer) { return with_functions(inner(layer), layer); };
  result.script = [made = result.constructor](const Layer& layer) { return script_of_cell(layer, made(layer)); };
  return result;
}

std::string written(const Constructor& made) {
  std::vector<std::string> arguments;
  for (const ConstructorArgument& argument : made.arguments)
    if (!argument.is_default) arguments.push_back((argument.by_name ? argument.name + "=" : "") + argument.text);
  return made.callee + "(" + joined(arguments) + ")";
}

// The cells are modules of a list.
TorchSource stacked_cells() {
  TorchSource result = of_helper(kStacked, std::string(kStackedCells) +
                                               "(*, return_sequences, return_state, go_backwards, stateful, "
                                               "zero_output_for_mask)");
  result.misfit = [](const Layer&) { return std::string(); };
  result.constructor = [inner = result.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    std::vector<std::string> cells;
    for (const Layer& held : layer.attributes.layers("cells")) {
      const Constructor cell = torch_source_of(held).constructor(held);
      cells.push_back(written(cell));
      made.helpers.insert(made.helpers.end(), cell.helpers.begin(), cell.helpers.end());
    }
    made.arguments.insert(made.arguments.begin(), {"cells", python_list(cells), false});
    return made;
  };
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input().text};
    for (std::string& state : states_of(call)) arguments.push_back(std::move(state));
    if (const auto mask = call.operand("mask")) arguments.push_back("mask=" + mask->text);
    return call.self + "(" + joined(arguments) + ")" + (call.outputs.size() == 1 ? "[0]" : "");
  };
  result.first = [all = result.call](const SourceCall& call) -> Python {
    return all(call).text + (call.outputs.size() == 1 ? "" : "[0]");
  };
  result.script = [](const Layer& layer) {
    std::vector<bool> draws;
    for (const Layer& held : layer.attributes.layers("cells"))
      draws.push_back(torch_source_of(held).constructor(held).callee == kCell.name);
    return script_of_stack(layer, draws);
  };
  result.output_names = {"x", "state"};
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {plain("LSTM"),
          plain("GRU"),
          plain("RNN"),
          of_keras(kLstm, "LSTM"),
          of_keras(kGru, "GRU"),
          of_keras(kRnn, "RNN"),
          step_by_step("LSTM"),
          step_by_step("GRU"),
          step_by_step("RNN"),
          cell("LSTMCell", ""),
          cell("GRUCell", ""),
          cell("RNNCell", ", nonlinearity"),
          cell_step_by_step("LSTMCell"),
          cell_step_by_step("GRUCell"),
          cell_step_by_step("RNNCell"),
          stacked_cells()};
}

}  // namespace h5bridge::recurrent
