#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::activation {
namespace {

using aten::Call;
using aten::Row;

// PyTorch itself has no kernel for it.
void relu6(Call& call) {
  const auto is = [&](const char* name, double wanted) {
    const Json* value = call.attribute(name);
    return value && value->is_number() && value->as_float() == wanted;
  };
  if (!is("min_val", 0) || !is("max_val", 6) || call.module_class() == "Hardtanh") return;
  call.type = "ReLU6";
  call.attributes = {};
}

void softmax_over_channels(Call& call) {
  if (call.module_class() != "Softmax2d") return;
  call.type = "Softmax2d";
  call.take("dim");
}

void as_prelu(Call& call) {
  const Shape weight = call.weight_shape("weight");
  if (weight.size() > 1) throw Unsupported("its weight has shape " + to_string(weight) + ", expected 1 axis");
  call.type = "PReLU";
  call.attributes.set("num_parameters", weight.empty() ? 1 : weight[0]);
}

// Of one tensor to one; the functions that it is made of have its only setting, if it has one.
std::optional<aten::ModuleForm> whole(const aten::ModuleGroup& group, const std::string& type, Json::Object settings) {
  const std::vector<std::string> given = group.given(), results = group.results();
  if (given.size() != 1 || results.size() != 1) return {};
  return aten::ModuleForm{type, std::move(settings), {{"input", {given[0]}, false}}, {results[0]}};
}

Row whole_activation(const std::string& type, std::vector<std::string> made_of) {
  return aten::whole_module(
      type, [=](const aten::ModuleGroup& group) { return group.are(made_of) ? whole(group, type, {}) : std::nullopt; });
}

std::optional<aten::ModuleForm> softmin(const aten::ModuleGroup& group) {
  if (!group.are({"neg", "softmax"})) return {};
  return whole(group, "Softmin", {{"dim", aten::value_of(*group.operations()[1], "dim")}});
}

}  // namespace

std::vector<Row> aten_rows() {
  return {
      aten::plain({"relu"}, "ReLU"),
      aten::plain({"relu6"}, "ReLU6"),
      aten::plain({"leaky_relu"}, "LeakyReLU"),
      {.operators = {"prelu"}, .type = "prelu", .parameters = {"weight"}, .as_module = as_prelu},
      {.operators = {"elu"}, .type = "ELU", .nothing_at = {{"scale", 1}, {"input_scale", 1}}},
      aten::plain({"selu"}, "SELU"),
      aten::plain({"celu"}, "CELU"),
      aten::plain({"gelu"}, "GELU"),
      aten::plain({"silu"}, "SiLU"),
      aten::plain({"mish"}, "Mish"),
      aten::plain({"sigmoid", "special_expit"}, "Sigmoid"),
      aten::plain({"log_sigmoid"}, "LogSigmoid"),
      aten::plain({"hardsigmoid"}, "Hardsigmoid"),
      aten::plain({"hardswish"}, "Hardswish"),
      aten::plain({"tanh"}, "Tanh"),
      {.operators = {"hardtanh"}, .type = "Hardtanh", .adjust = relu6},
      aten::plain({"softplus"}, "Softplus"),
      aten::plain({"softshrink"}, "Softshrink"),
      aten::plain({"hardshrink"}, "Hardshrink"),
      aten::plain({"threshold"}, "Threshold"),
      {.operators = {"rrelu"}, .type = "RReLU", .nothing_at = {{"training", false}}},
      aten::plain({"glu"}, "GLU"),
      {.operators = {"softmax", "_softmax", "special_softmax"},
       .type = "Softmax",
       .nothing_at = {{"half_to_float", false}},
       .adjust = softmax_over_channels},
      {.operators = {"log_softmax", "_log_softmax", "special_log_softmax"},
       .type = "LogSoftmax",
       .nothing_at = {{"half_to_float", false}}},
      whole_activation("Softsign", {"abs", "add", "div"}),
      whole_activation("Tanhshrink", {"tanh", "sub"}),
      aten::whole_module("Softmin", softmin),
  };
}

}  // namespace h5bridge::activation
