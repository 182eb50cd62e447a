// Why a model does not give what is expected: what is often otherwise is tried, and what is then right is the cause.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "convert/suppositions.h"
#include "h5bridge/json.h"
#include "h5bridge/model.h"
#include "runner/runner.h"

namespace h5bridge {

struct LikelyCause {
  std::string layer;          // the call's; empty where inputs, or several layers, are meant
  std::string kind;           // "epsilon", "layout", ...: as docs/when_numbers_differ.md lists them
  std::string text;           // "with \"eps\" 0.001 in place of 1e-05"
  bool explains_all = false;  // whether the model's outputs are then what is expected
};

/// "likely cause, epsilon: with \"eps\" 0.001 in place of 1e-05 all outputs agree".
std::string describe(const LikelyCause& cause);
Json to_json(const std::optional<LikelyCause>& cause);

/// Whether these outputs, of a call or of the model, are what is expected.
using Judge = std::function<bool(const std::vector<Tensor>& outputs)>;

/// A model that is fed, with its channels first; inputs and outputs are laid out as PyTorch has them.
struct FedModel {
  const Model& model;
  std::vector<NamedTensor> inputs;
  RunOptions options;
};

/// Of the first layer that differs: tried with the layer alone, on what it was fed. `other`: another model's call of
/// the same layer, which is right. Nothing where no supposition makes it right.
std::optional<LikelyCause> likely_cause_in(const std::string& node, const FedModel& fed, const Judge& layer_is_right,
                                           const Judge& outputs_are_right,
                                           const std::optional<SupposedCall>& other = {});

/// Where it is not known which layer differs: tried with inputs, with all layers and with each, as long as that does
/// not take long.
std::optional<LikelyCause> likely_cause_anywhere(const FedModel& fed, const Judge& outputs_are_right);

}  // namespace h5bridge
