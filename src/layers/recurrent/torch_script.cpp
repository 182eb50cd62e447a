#include "layers/recurrent/torch_script.h"

#include <algorithm>
#include <vector>

#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {
namespace {

// What the text is made of.
struct Settings {
  explicit Settings(const Layer& layer)
      : attributes(layer.attributes),
        type(kind_of(layer.type).type),
        kinds(static_cast<std::int64_t>(kind_of(layer.type).states)),
        layers(attributes.contains("num_layers") ? attributes.integer("num_layers") : 1),
        directions(is_on("bidirectional") ? 2 : 1),
        hidden(attributes.integer("hidden_size")),
        projected(has("proj_size") && attributes.integer("proj_size") > 0 ? attributes.integer("proj_size") : hidden),
        first(is_on("batch_first")) {}

  const Attributes& attributes;
  std::string type;
  std::int64_t kinds, layers, directions, hidden, projected;
  bool first;
  std::int64_t places() const { return layers * directions; }
  std::string size(std::int64_t kind) const { return std::to_string(kind == 0 ? projected : hidden); }
  bool has(const char* name) const { return attributes.contains(name); }
  bool is_on(const char* name) const { return has(name) && attributes.boolean(name); }
  std::string gates() const { return type == "LSTM" ? "4" : type == "GRU" ? "3" : "1"; }
  /// How many masks dropout draws for one tensor.
  std::string masks() const { return attributes.number("recurrent_dropout") > 0 ? gates() : "1"; }
};

std::string suffix(std::int64_t layer, std::int64_t direction) {
  return "_l" + std::to_string(layer) + (direction ? "_reverse" : "");
}

// "h0" is the hidden state of place 0, "c0" the cell's.
std::string state(std::int64_t kind, std::int64_t place) { return (kind ? "c" : "h") + std::to_string(place); }

// What a stateful layer has of the call before.
std::string kept(std::int64_t kind) { return kind ? "kept_c" : "kept_h"; }

std::string given(std::int64_t number) { return "state" + std::to_string(number); }

// The outputs of both directions as Keras merges them.
std::vector<std::string> merged(const Settings& s, const std::vector<std::string>& parts) {
  if (parts.size() == 1) return parts;
  const AttributeValue& mode = s.attributes.at("merge_mode");
  if (std::holds_alternative<std::monostate>(mode)) return parts;
  const std::string& name = std::get<std::string>(mode);
  if (name == "concat") return {"torch.cat([" + joined(parts) + "], -1)"};
  if (name == "mul") return {parts[0] + " * " + parts[1]};
  const std::string sum = "(" + parts[0] + " + " + parts[1] + ")";
  return {name == "ave" ? sum + " / 2" : sum};
}

std::int64_t count_of_outputs(const Settings& s) {
  const bool apart = s.directions == 2 && s.attributes.is_none("merge_mode");
  return (apart ? 2 : 1) + (s.is_on("return_state") ? s.kinds * s.places() : s.kinds);
}

std::string head(const Settings& s) {
  std::string result = "def forward(self, input: Tensor";
  for (std::int64_t i = 0; i < s.kinds * s.places(); ++i) result += ", " + given(i) + ": Optional[Tensor]=None";
  result += ", mask: Optional[Tensor]=None) -> Tuple[";
  for (std::int64_t i = 0; i < count_of_outputs(s); ++i) result += i ? ", Tensor" : "Tensor";
  result += "]:\n  x = input\n";
  if (s.is_on("go_backwards"))
    result +=
        "  x = x.flip(" + std::string(s.first ? "1" : "0") + ")\n  if mask is not None:\n    mask = mask.flip(1)\n";
  result += "  batch = x.shape[" + std::string(s.first ? "0" : "1") + "]\n";
  if (s.is_on("stateful"))
    for (std::int64_t kind = 0; kind < s.kinds; ++kind) result += "  " + kept(kind) + " = self." + kept(kind) + "\n";
  // Of three axes they are PyTorch's, one for all places.
  for (std::int64_t place = 0; place < s.places(); ++place)
    for (std::int64_t kind = 0; kind < s.kinds; ++kind) {
      const std::string name = state(kind, place);
      result += "  " + name + " = torch.zeros([batch, " + s.size(kind) + "], dtype=x.dtype, device=x.device)\n";
      const std::int64_t keras = ((place % s.directions) * s.layers + place / s.directions) * s.kinds + kind;
      if (s.is_on("stateful"))
        result += "  if " + kept(kind) + " is not None:\n    " + name + " = " + kept(kind) + "[" +
                  std::to_string(place) + "]\n";
      result += "  if " + given(0) + " is not None:\n    if " + given(0) + ".ndim == 3:\n      assert " + given(kind) +
                " is not None\n      " + name + " = " + given(kind) + "[" + std::to_string(place) + "]\n";
      result += "    else:\n      assert " + given(keras) + " is not None\n      " + name + " = " + given(keras) + "\n";
    }
  return result;
}

// `y` has all steps, `last` what each direction gives last, h0, c0, ... the states.
std::string tail(const Settings& s, const std::vector<std::string>& halves, const std::vector<std::string>& last) {
  const auto all_of = [&](std::int64_t kind) {
    std::vector<std::string> places;
    for (std::int64_t place = 0; place < s.places(); ++place) places.push_back(state(kind, place));
    return "torch.stack([" + joined(places) + "])";
  };
  std::string keeps;
  if (s.is_on("stateful"))
    for (std::int64_t kind = 0; kind < s.kinds; ++kind)
      keeps += "  self." + kept(kind) + " = " + all_of(kind) + ".detach()\n";
  std::vector<std::string> outputs;
  if (!s.attributes.boolean("return_sequences"))
    outputs = merged(s, last);
  else
    outputs =
        s.attributes.at("merge_mode") == AttributeValue("concat") ? std::vector<std::string>{"y"} : merged(s, halves);
  if (s.is_on("return_state")) {
    for (std::int64_t direction = 0; direction < s.directions; ++direction)
      for (std::int64_t layer = 0; layer < s.layers; ++layer)
        for (std::int64_t kind = 0; kind < s.kinds; ++kind)
          outputs.push_back(state(kind, layer * s.directions + direction));
  } else {
    for (std::int64_t kind = 0; kind < s.kinds; ++kind) outputs.push_back(all_of(kind));
  }
  return keeps + "  return " + (outputs.size() == 1 ? "(" + outputs[0] + ",)" : joined(outputs)) + "\n";
}

std::vector<std::string> halves_of_y(const Settings& s) {
  if (s.directions == 1) return {"y"};
  return {"y.chunk(2, -1)[0]", "y.chunk(2, -1)[1]"};
}

constexpr const char* kDropped = R"(def dropped(self, like: Tensor, rate: float, count: int) -> List[Tensor]:
  masks: List[Tensor] = []
  if self.training and rate > 0.0:
    for i in range(count):
      masks.append(torch.dropout(torch.ones_like(like), rate, True))
  return masks
def product(self, x: Tensor, weight: Tensor, bias: Optional[Tensor], masks: List[Tensor]) -> Tensor:
  if len(masks) == 0:
    return torch.linear(x, weight, bias)
  if len(masks) == 1:
    return torch.linear(x * masks[0], weight, bias)
  weights = weight.chunk(len(masks))
  parts: List[Tensor] = []
  for i in range(len(masks)):
    if bias is None:
      parts.append(torch.linear(x * masks[i], weights[i]))
    else:
      parts.append(torch.linear(x * masks[i], weights[i], bias.chunk(len(masks))[i]))
  return torch.cat(parts, -1)
)";

// One step: of what comes from the input, and the states.
std::string step(const Settings& s, const std::string& act, const std::string& gate) {
  std::string result = "def act(self, x: Tensor) -> Tensor:\n  return " + act + "\n";
  if (s.type != "RNN") result += "def gate(self, x: Tensor) -> Tensor:\n  return " + gate + "\n";
  result +=
      "def step(self, x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Optional[Tensor],\n"
      "    masks: List[Tensor]) -> Tuple[Tensor, Tensor]:\n";
  if (s.type == "RNN") return result + "  return self.act(x + self.product(h, weight, bias, masks)), c\n";
  if (s.type == "LSTM")
    return result +
           "  i, f, g, o = (x + self.product(h, weight, bias, masks)).chunk(4, -1)\n"
           "  c = self.gate(f) * c + self.gate(i) * self.act(g)\n  return self.gate(o) * self.act(c), c\n";
  result +=
      "  xs = x.chunk(3, -1)\n  ys = self.product(h, weight, bias, masks).chunk(3, -1)\n"
      "  r = self.gate(xs[0] + ys[0])\n  z = self.gate(xs[1] + ys[1])\n";
  result += s.is_on("reset_after") ? "  n = r * ys[2]\n"
                                   : "  kept = h\n  if len(masks) > 0:\n    kept = h * masks[-1]\n"
                                     "  n = torch.linear(r * kept, weight.chunk(3)[2])\n";
  return result + "  return z * h + (1 - z) * self.act(xs[2] + n), c\n";
}

// One layer in one direction.
std::string direction(const Settings& s) {
  const std::string count = s.masks();
  return "def direction(self, input: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: "
         "Optional[Tensor],\n"
         "    b_hh: Optional[Tensor], w_hr: Optional[Tensor], valid: Optional[Tensor], backwards: bool) -> "
         "Tuple[Tensor,\n"
         "    Tensor, Tensor, Tensor]:\n"
         "  x = input\n"
         "  if backwards:\n    x = x.flip(0)\n    if valid is not None:\n      valid = valid.flip(0)\n"
         "  masks = self.dropped(x[0], " +
         python_float(s.attributes.number("input_dropout")) + ", " + count +
         ")\n"
         "  hidden = self.dropped(h, " +
         python_float(s.attributes.number("recurrent_dropout")) + ", " + count +
         ")\n"
         "  last = torch.zeros([x.shape[1], " +
         std::to_string(s.projected) +
         "], dtype=x.dtype, device=x.device)\n"
         "  outputs: List[Tensor] = []\n"
         "  projected = self.product(x, w_ih, b_ih, masks)\n"
         "  for t in range(x.shape[0]):\n"
         "    new_h, new_c = self.step(projected[t], h, c, w_hh, b_hh, hidden)\n"
         "    if w_hr is not None:\n      new_h = torch.linear(new_h, w_hr)\n"
         "    if valid is None:\n      last = new_h\n    else:\n" +
         std::string(s.is_on("zero_output_for_mask")
                         ? "      last = torch.where(valid[t], new_h, torch.zeros_like(last))\n"
                         : "      last = torch.where(valid[t], new_h, last)\n") +
         "      new_h = torch.where(valid[t], new_h, h)\n" +
         (s.kinds == 2 ? "      new_c = torch.where(valid[t], new_c, c)\n" : "") +
         "    h = new_h\n    c = new_c\n    outputs.append(last)\n"
         "  y = torch.stack(outputs)\n"
         "  if backwards:\n    y = y.flip(0)\n"
         "  return y, h, c, last\n";
}

// "torch.tanh" and "lambda x: F.elu(x)" of x.
std::string applied(const Constructor& made, const std::string& argument) {
  const auto found = std::ranges::find(made.arguments, argument, &ConstructorArgument::name);
  if (found == made.arguments.end()) return "x";
  constexpr std::string_view kLambda = "lambda x: ";
  return found->text.starts_with(kLambda) ? found->text.substr(kLambda.size()) : found->text + "(x)";
}

}  // namespace

std::string script_at_once(const Layer& layer) {
  const Settings s(layer);
  std::vector<std::string> weights;
  for (std::int64_t i = 0; i < s.layers; ++i)
    for (std::int64_t d = 0; d < s.directions; ++d) {
      weights.insert(weights.end(), {"self.weight_ih" + suffix(i, d), "self.weight_hh" + suffix(i, d)});
      if (s.attributes.boolean("bias"))
        weights.insert(weights.end(), {"self.bias_ih" + suffix(i, d), "self.bias_hh" + suffix(i, d)});
      if (s.projected != s.hidden) weights.push_back("self.weight_hr" + suffix(i, d));
    }
  std::string result = head(s);
  std::vector<std::string> given_states;
  for (std::int64_t kind = 0; kind < s.kinds; ++kind) {
    std::vector<std::string> places;
    for (std::int64_t place = 0; place < s.places(); ++place) places.push_back(state(kind, place));
    given_states.push_back("torch.stack([" + joined(places) + "])");
  }
  const auto word = [](bool value) { return std::string(value ? "True" : "False"); };
  const std::string operation = s.type == "LSTM"  ? "lstm"
                                : s.type == "GRU" ? "gru"
                                                  : "rnn_" + s.attributes.text("nonlinearity");
  result += "  y, " + std::string(s.kinds == 2 ? "h, c" : "h") + " = torch." + operation + "(x, " +
            (s.kinds == 2 ? "[" + joined(given_states) + "]" : given_states[0]) + ", [" + joined(weights) + "], " +
            word(s.attributes.boolean("bias")) + ", " + std::to_string(s.layers) + ", " +
            python_float(s.attributes.number("dropout")) + ", self.training, " + word(s.directions == 2) + ", " +
            word(s.first) + ")\n";
  for (std::int64_t place = 0; place < s.places(); ++place)
    for (std::int64_t kind = 0; kind < s.kinds; ++kind)
      result += "  " + state(kind, place) + " = " + (kind ? "c[" : "h[") + std::to_string(place) + "]\n";
  std::vector<std::string> last;
  for (std::int64_t d = 0; d < s.directions; ++d) last.push_back(state(0, s.places() - s.directions + d));
  return result + tail(s, halves_of_y(s), last);
}

std::string script_of_steps(const Layer& layer, const Constructor& made) {
  const Settings s(layer);
  const bool apart = s.is_on("separate_directions");
  std::string result =
      kDropped + step(s, applied(made, "activation"), applied(made, "recurrent_activation")) + direction(s) + head(s);
  if (s.first) result += "  x = x.transpose(0, 1)\n";
  result +=
      "  valid: Optional[Tensor] = None\n  if mask is not None:\n"
      "    valid = mask.bool().transpose(0, 1).unsqueeze(-1)\n  none = torch.zeros([0])\n";
  std::vector<std::string> reads(static_cast<std::size_t>(s.directions), "x"), last(reads.size());
  for (std::int64_t i = 0; i < s.layers; ++i) {
    std::vector<std::string> outputs;
    for (std::int64_t d = 0; d < s.directions; ++d) {
      const std::string end = suffix(i, d), place = std::to_string(i * s.directions + d);
      std::string& read = reads[static_cast<std::size_t>(d)];
      if (i > 0)
        read = "torch.dropout(" + read + ", " + python_float(s.attributes.number("dropout")) + ", self.training)";
      const std::string c = s.kinds == 2 ? "c" + place : "none";
      result += "  y" + place + ", h" + place + ", " + (s.kinds == 2 ? c : "none") + ", last" + place +
                " = self.direction(" + read + ", h" + place + ", " + c + ", self.weight_ih" + end + ", self.weight_hh" +
                end + ", self.bias_ih" + end + ", self.bias_hh" + end + ", self.weight_hr" + end + ", valid, " +
                (d ? "True" : "False") + ")\n";
      outputs.push_back("y" + place);
      last[static_cast<std::size_t>(d)] = "last" + place;
    }
    if (apart)
      reads = outputs;
    else
      std::ranges::fill(reads, s.directions == 1 ? outputs[0] : "torch.cat([" + joined(outputs) + "], -1)");
  }
  result += "  y = " + (apart && s.directions == 2 ? "torch.cat([" + joined(reads) + "], -1)" : reads[0]) + "\n";
  if (s.first) result += "  y = y.transpose(0, 1)\n";
  return result + tail(s, halves_of_y(s), last);
}

std::string script_of_cell(const Layer& layer, const Constructor& made) {
  const Settings s(layer);
  const std::string states = s.kinds == 2 ? "Tuple[Tensor, Tensor]" : "Tensor";
  const auto draws = [&](const char* like, const char* rate) {
    return "self.dropped(" + std::string(like) + ", " + python_float(s.attributes.number(rate)) + ", " + s.masks() +
           ")";
  };
  const std::string zeros =
      "torch.zeros([x.shape[0], " + std::to_string(s.hidden) + "], dtype=x.dtype, device=x.device)";
  std::string result = kDropped + step(s, applied(made, "activation"), applied(made, "recurrent_activation"));
  result += "def draw(self, x: Tensor) -> Tuple[List[Tensor], List[Tensor]]:\n  return " + draws("x", "input_dropout") +
            ", " + draws(zeros.c_str(), "recurrent_dropout") + "\n";
  result += "def forward(self, x: Tensor, states: Optional[" + states +
            "]=None, masks: Optional[Tuple[List[Tensor],\n    List[Tensor]]]=None) -> " + states + ":\n";
  result += "  if states is None:\n    h = " + zeros + "\n    c = h\n  else:\n";
  result += s.kinds == 2 ? "    h, c = states\n" : "    h = states\n    c = h\n";
  return result +
         "  if masks is None:\n    masks = self.draw(x)\n"
         "  y = self.product(x, self.weight_ih, self.bias_ih, masks[0])\n"
         "  h, c = self.step(y, h, c, self.weight_hh, self.bias_hh, masks[1])\n  return " +
         (s.kinds == 2 ? "h, c\n" : "h\n");
}

std::string script_of_stack(const Layer& layer, const std::vector<bool>& draws) {
  const Attributes& a = layer.attributes;
  const std::vector<Layer>& cells = a.layers("cells");
  const auto is_lstm = [&](std::size_t i) { return kind_of(cells[i].type).states == 2; };
  std::vector<std::string> states;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    states.push_back("h" + std::to_string(i));
    if (is_lstm(i)) states.push_back("c" + std::to_string(i));
  }
  std::string result = "def forward(self, input: Tensor", outputs = "Tensor";
  for (std::size_t i = 0; i < states.size(); ++i) {
    result += ", state" + std::to_string(i) + ": Optional[Tensor]=None";
    if (a.boolean("return_state")) outputs += ", Tensor";
  }
  result += ", mask: Optional[Tensor]=None) -> Tuple[" + outputs + "]:\n  x = input\n";
  if (a.boolean("go_backwards")) result += "  x = x.flip(1)\n  if mask is not None:\n    mask = mask.flip(1)\n";
  for (std::size_t i = 0, at = 0; i < cells.size(); ++i)
    for (int kind = 0; kind <= (is_lstm(i) ? 1 : 0); ++kind, ++at) {
      const std::string number = std::to_string(at), size = std::to_string(cells[i].attributes.integer("hidden_size"));
      result += "  " + states[at] + " = torch.zeros([x.shape[0], " + size + "], dtype=x.dtype, device=x.device)\n";
      if (a.boolean("stateful"))
        result += "  kept" + number + " = self.kept" + number + "\n  if kept" + number + " is not None:\n    " +
                  states[at] + " = kept" + number + "\n";
      result += "  if state" + number + " is not None:\n    " + states[at] + " = state" + number + "\n";
    }
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (draws[i]) result += "  masks" + std::to_string(i) + ": Optional[Tuple[List[Tensor], List[Tensor]]] = None\n";
  result += "  last = torch.zeros_like(h" + std::to_string(cells.size() - 1) +
            ")\n  outputs: List[Tensor] = []\n  for t in range(x.shape[1]):\n    y = x[:, t]\n";
  const std::string where = "    if mask is not None:\n      valid = mask[:, t].bool().unsqueeze(-1)\n";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string number = std::to_string(i), cell = "getattr(self.cells, \"" + number + "\")";
    if (draws[i]) result += "    if masks" + number + " is None:\n      masks" + number + " = " + cell + ".draw(y)\n";
    const std::string more = draws[i] ? ", masks" + number + ")\n" : ")\n";
    result += is_lstm(i) ? "    new_h, new_c = " + cell + ".forward(y, (h" + number + ", c" + number + ")" + more
                         : "    new_h = " + cell + ".forward(y, h" + number + more;
    result += "    y = new_h\n" + where + "      new_h = torch.where(valid, new_h, h" + number + ")\n";
    if (is_lstm(i)) result += "      new_c = torch.where(valid, new_c, c" + number + ")\n";
    result += "    h" + number + " = new_h\n";
    if (is_lstm(i)) result += "    c" + number + " = new_c\n";
  }
  result += where + "      y = torch.where(valid, y, " +
            (a.boolean("zero_output_for_mask") ? "torch.zeros_like(last)" : "last") +
            ")\n    last = y\n    outputs.append(y)\n";
  if (a.boolean("stateful"))
    for (std::size_t i = 0; i < states.size(); ++i)
      result += "  self.kept" + std::to_string(i) + " = " + states[i] + ".detach()\n";
  const std::string y = a.boolean("return_sequences") ? "torch.stack(outputs, 1)" : "last";
  return result + "  return (" + y + ", " + (a.boolean("return_state") ? joined(states) : "") + ")\n";
}

}  // namespace h5bridge::recurrent
