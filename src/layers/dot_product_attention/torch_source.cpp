#include "facets/torch_source/signature.h"

namespace h5bridge::dot_product_attention {
namespace {

Python attention(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const bool steps_first = a.boolean("steps_first");
  const auto heads_first = [&](const Python& x) { return steps_first ? x.receiver() + ".transpose(-3, -2)" : x.text; };
  std::string text = "F.scaled_dot_product_attention(" + heads_first(call.input(0)) + ", " +
                     heads_first(call.input(1)) + ", " + heads_first(call.input(2));
  if (const auto mask = call.operand("attn_mask")) text += ", " + mask->text;
  for (const char* name : {"is_causal", "scale", "enable_gqa"})
    if (!a.is_none(name) && a.at(name) != AttributeValue(false))
      text += ", " + std::string(name) + "=" + python_value(a.at(name)).text;
  return heads_first(Python(text + ")"));
}

}  // namespace

std::vector<TorchSource> torch_sources() { return {torch_code("scaled_dot_product_attention", attention)}; }

}  // namespace h5bridge::dot_product_attention
