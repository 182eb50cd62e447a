#include "layers/recurrent/torch_script.h"

#include <algorithm>
#include <vector>

namespace h5bridge::recurrent {
namespace {

// What the text is made of.
struct Settings {
  explicit Settings(const Layer& layer)
      : attributes(layer.attributes),
        type(layer.type),
        kinds(layer.type == "LSTM" ? 2 : 1),
        layers(layer.attributes.integer("num_layers")),
        directions(layer.attributes.boolean("bidirectional") ? 2 : 1),
        hidden(layer.attributes.integer("hidden_size")),
        projected(type == "LSTM" && attributes.integer("proj_size") > 0 ? attributes.integer("proj_size") : hidden),
        first(attributes.boolean("batch_first")) {}

  const Attributes& attributes;
  std::string type;
  std::int64_t kinds, layers, directions, hidden, projected;
  bool first;
  std::int64_t places() const { return layers * directions; }
  std::string size(std::int64_t kind) const { return std::to_string(kind == 0 ? projected : hidden); }
  bool is_on(const char* name) const { return attributes.contains(name) && attributes.boolean(name); }
};

std::string suffix(std::int64_t layer, std::int64_t direction) {
  return "_l" + std::to_string(layer) + (direction ? "_reverse" : "");
}

// "h0" is the hidden state of place 0, "c0" the cell's.
std::string state(std::int64_t kind, std::int64_t place) { return (kind ? "c" : "h") + std::to_string(place); }

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
  // Of three axes they are PyTorch's, one for all places.
  for (std::int64_t place = 0; place < s.places(); ++place)
    for (std::int64_t kind = 0; kind < s.kinds; ++kind) {
      const std::string name = state(kind, place);
      result += "  " + name + " = torch.zeros([batch, " + s.size(kind) + "], dtype=x.dtype, device=x.device)\n";
      const std::int64_t keras = ((place % s.directions) * s.layers + place / s.directions) * s.kinds + kind;
      result += "  if " + given(0) + " is not None:\n    if " + given(0) + ".ndim == 3:\n      assert " + given(kind) +
                " is not None\n      " + name + " = " + given(kind) + "[" + std::to_string(place) + "]\n";
      result += "    else:\n      assert " + given(keras) + " is not None\n      " + name + " = " + given(keras) + "\n";
    }
  return result;
}

// `y` has all steps, `last` what each direction gives last, h0, c0, ... the states.
std::string tail(const Settings& s, const std::vector<std::string>& halves, const std::vector<std::string>& last) {
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
    for (std::int64_t kind = 0; kind < s.kinds; ++kind) {
      std::vector<std::string> places;
      for (std::int64_t place = 0; place < s.places(); ++place) places.push_back(state(kind, place));
      outputs.push_back("torch.stack([" + joined(places) + "])");
    }
  }
  return "  return " + (outputs.size() == 1 ? "(" + outputs[0] + ",)" : joined(outputs)) + "\n";
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
  const std::string gates = s.type == "LSTM" ? "4" : s.type == "GRU" ? "3" : "1";
  const std::string count = s.attributes.number("recurrent_dropout") > 0 ? gates : "1";
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
  if (s.is_on("stateful")) return "";
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
  if (s.is_on("stateful")) return "";
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

}  // namespace h5bridge::recurrent
