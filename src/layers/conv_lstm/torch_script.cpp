#include "layers/conv_lstm/torch_script.h"

namespace h5bridge::conv_lstm {
namespace {

// "{kernel}", "{once}" and "{d}" are filled in, as are the functions of x.
constexpr const char* kParts = R"(def act(self, x: Tensor) -> Tensor:
  return {act}
def gate(self, x: Tensor) -> Tensor:
  return {gate}
def dropped(self, like: Tensor, rate: float) -> List[Tensor]:
  masks: List[Tensor] = []
  if self.training and rate > 0.0:
    for i in range(4):
      masks.append(torch.dropout(torch.ones_like(like), rate, True))
  return masks
def product(self, x: Tensor, weight: Tensor, bias: Optional[Tensor], same: bool, stride: List[int],
    dilation: List[int]) -> Tensor:
  if same:
    x = pad_same(x, {kernel}, stride, dilation)
  return torch.conv{d}(x, weight, bias, stride, 0, dilation)
def convolved(self, x: Tensor, weight: Tensor, bias: Optional[Tensor], same: bool, stride: List[int],
    dilation: List[int], masks: List[Tensor]) -> Tensor:
  if len(masks) == 0:
    return self.product(x, weight, bias, same, stride, dilation)
  parts: List[Tensor] = []
  for i in range(4):
    part: Optional[Tensor] = None
    if bias is not None:
      part = bias.chunk(4)[i]
    parts.append(self.product(x * masks[i], weight.chunk(4)[i], part, same, stride, dilation))
  return torch.cat(parts, 1)
)";

constexpr const char* kSteps = R"(  masks: List[Tensor] = []
  hidden: List[Tensor] = []
  outputs: List[Tensor] = []
  last = x
  for t in range(x.shape[1]):
    step = x[:, t]
    if t == 0:
      masks = self.dropped(step, {dropout})
    y = self.convolved(step, self.weight_ih, self.bias, {same}, {stride}, {dilation}, masks)
    if len(states) == 0:
      zeros = torch.zeros_like(y.chunk(4, 1)[0])
      states = [zeros, zeros]
    if t == 0:
      hidden = self.dropped(states[0], {recurrent_dropout})
      last = torch.zeros_like(states[0])
    from_state = self.convolved(states[0], self.weight_hh, None, True, {once}, {once}, hidden)
    i, f, g, o = (y + from_state).chunk(4, 1)
    c = self.gate(f) * states[1] + self.gate(i) * self.act(g)
    h = self.gate(o) * self.act(c)
    y = h
    if mask is not None:
      valid = mask[:, t].bool().view({each})
      y = torch.where(valid, y, {hidden_output})
      h = torch.where(valid, h, states[0])
      c = torch.where(valid, c, states[1])
    states = [h, c]
    last = y
    outputs.append(y)
)";

std::string filled(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [name, value] : values)
    for (std::size_t at = text.find("{" + name + "}"); at != std::string::npos; at = text.find("{" + name + "}", at))
      text.replace(at, name.size() + 2, value), at += value.size();
  return text;
}

// "torch.tanh" and "lambda x: F.elu(x)" of x.
std::string applied(const Constructor& made, const std::string& name) {
  constexpr std::string_view kLambda = "lambda x: ";
  for (const ConstructorArgument& argument : made.arguments)
    if (argument.name == name)
      return argument.text.starts_with(kLambda) ? argument.text.substr(kLambda.size()) : argument.text + "(x)";
  return "x";
}

}  // namespace

std::string script_of(const Layer& layer, const Constructor& made) {
  const Attributes& a = layer.attributes;
  const std::size_t axes = a.integers("kernel_size").size();
  const bool is_last = a.boolean("channels_last"), returns_state = a.boolean("return_state");
  const auto list = [&](const char* name) { return python_value(a.at(name)).text; };
  std::string once = "(1", each = "(-1, 1";
  for (std::size_t i = 1; i < axes; ++i) once += ", 1";
  for (std::size_t i = 0; i < axes; ++i) each += ", 1";
  once += axes == 1 ? ",)" : ")";
  each += ")";
  std::string result = filled(kParts, {{"act", applied(made, "activation")},
                                       {"gate", applied(made, "recurrent_activation")},
                                       {"kernel", list("kernel_size")},
                                       {"d", std::to_string(axes) + "d"}});
  result +=
      "def forward(self, input: Tensor, h0: Optional[Tensor]=None, c0: Optional[Tensor]=None,\n"
      "    mask: Optional[Tensor]=None) -> Tuple[Tensor" +
      std::string(returns_state ? ", Tensor, Tensor" : "") + "]:\n  x = input\n  states: List[Tensor] = []\n";
  if (a.boolean("stateful"))
    result +=
        "  kept_h = self.kept_h\n  kept_c = self.kept_c\n"
        "  if kept_h is not None and kept_c is not None:\n    states = [kept_h, kept_c]\n";
  result += "  if h0 is not None and c0 is not None:\n    states = " +
            std::string(is_last ? "[h0.movedim(-1, 1), c0.movedim(-1, 1)]\n" : "[h0, c0]\n");
  if (is_last) result += "  x = x.movedim(-1, 2)\n";
  if (a.boolean("go_backwards")) result += "  x = x.flip(1)\n  if mask is not None:\n    mask = mask.flip(1)\n";
  const bool is_same = a.at("padding") == AttributeValue("same");
  result += filled(kSteps, {{"dropout", python_float(a.number("dropout"))},
                            {"recurrent_dropout", python_float(a.number("recurrent_dropout"))},
                            {"same", is_same ? "True" : "False"},
                            {"stride", list("stride")},
                            {"dilation", list("dilation")},
                            {"once", once},
                            {"each", each},
                            {"hidden_output", a.boolean("zero_output_for_mask") ? "torch.zeros_like(last)" : "last"}});
  if (a.boolean("stateful")) result += "  self.kept_h = states[0].detach()\n  self.kept_c = states[1].detach()\n";
  const bool all = a.boolean("return_sequences");
  std::vector<std::string> outputs{all ? "torch.stack(outputs, 1)" : "last"};
  if (returns_state) outputs.insert(outputs.end(), {"states[0]", "states[1]"});
  for (std::size_t i = 0; is_last && i < outputs.size(); ++i)
    outputs[i] += i == 0 && all ? ".movedim(2, -1)" : ".movedim(1, -1)";
  return result + "  return (" + joined(outputs) + (outputs.size() == 1 ? ",)\n" : ")\n");
}

}  // namespace h5bridge::conv_lstm
