#include "layers/recurrent/keras_weights.h"

namespace h5bridge::recurrent {

bool adds_biases(const Kind& kind, const Attributes& a) { return has_second_bias(a) && kind.type != "GRU"; }

void add_cell_rules(WeightRules& rules, const Kind& kind, const Attributes& a, const std::string& prefix,
                    const std::string& suffix, const Place& place) {
  std::vector<WeightStep> gates;
  if (kind.type == "GRU") gates.push_back(ReorderBlocks{0, kind.keras_gates});
  const auto add = [&](std::vector<std::string> torch, const std::string& variable, std::vector<WeightStep> more) {
    for (std::string& name : torch) name = prefix + name + suffix;
    WeightRule rule{.torch = std::move(torch),
                    .keras = {place.cell + "/" + variable},
                    .steps = gates,
                    .part = place.part,
                    .object = place.object};
    rule.steps.insert(rule.steps.end(), more.begin(), more.end());
    rules.rules.push_back(std::move(rule));
  };
  add({"weight_ih"}, "kernel", {PermuteAxes{{1, 0}}});
  add({"weight_hh"}, "recurrent_kernel", {PermuteAxes{{1, 0}}});
  if (!a.boolean("bias")) return;
  const std::int64_t rows = kind.gates * a.integer("hidden_size");
  if (!has_second_bias(a))
    add({"bias_ih"}, "bias", {});
  else if (adds_biases(kind, a))
    add({"bias_ih", "bias_hh"}, "bias", {Sum{2}});
  else
    add({"bias_ih", "bias_hh"}, "bias", {ChangeShape{{rows}, {1, rows}}, Join{0, {1, 1}}});
}

}  // namespace h5bridge::recurrent
