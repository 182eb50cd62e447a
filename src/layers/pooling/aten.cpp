#include <algorithm>
#include <limits>

#include "facets/aten/row.h"
#include "facets/spec/kernel.h"

namespace h5bridge::pooling {
namespace {

using aten::Call;
using aten::Row;

// An empty stride is the window's size.
void settle_stride(Call& call) {
  if (const Json* stride = call.attribute("stride"); stride && stride->is_array() && stride->as_array().empty())
    call.take("stride");
}

void with_places(Call& call) {
  settle_stride(call);
  if (call.is_used(1)) call.attributes.set("return_indices", true);
}

Row pooling(const std::string& name, const std::string& type) {
  return {.operators = {name}, .type = type, .adjust = settle_stride};
}

Row pooling_with_places(std::vector<std::string> names, const std::string& type) {
  return {.operators = std::move(names), .type = type, .adjust = with_places};
}

// Of an infinite power, the largest in the window.
std::optional<aten::ModuleForm> of_largest(const aten::ModuleGroup& group, const std::string& suffix) {
  const aten::Operation& pool = *group.operations()[1];
  const std::string* input = aten::tensor_of(*group.operations()[0], "self");
  const std::vector<std::string> results = group.results();
  if (!input || results.size() != 1 || pool.outputs.empty() || pool.outputs[0] != results[0]) return {};
  const auto are_all = [&](const char* name, std::int64_t wanted) {
    const Json values = aten::value_of(pool, name);
    return values.is_null() || (values.is_array() && std::ranges::all_of(values.as_array(), [&](const Json& value) {
                                  return value == Json(wanted);
                                }));
  };
  if (!are_all("padding", 0) || !are_all("dilation", 1)) return {};
  Json::Object attributes{{"norm_type", std::numeric_limits<double>::infinity()}};
  for (const char* name : {"kernel_size", "stride", "ceil_mode"})
    if (const Json value = aten::value_of(pool, name); !value.is_null() && value != Json(Json::Array{}))
      attributes.set(name, value);
  return aten::ModuleForm{"LPPool" + suffix, std::move(attributes), {{"input", {*input}, false}}, {results[0]}};
}

// A power, a mean, and of that times the window's size the root.
std::optional<aten::ModuleForm> by_power(const aten::ModuleGroup& group, const std::string& suffix) {
  if (group.are({"abs", "max_pool" + suffix})) return of_largest(group, suffix);
  if (!group.are({"pow", "avg_pool" + suffix, "sign", "abs", "relu", "mul", "mul", "pow"})) return {};
  const aten::Operation& power = *group.operations()[0];
  const aten::Operation& pool = *group.operations()[1];
  const std::string* input = aten::tensor_of(power, "self");
  const std::vector<std::string> results = group.results();
  if (!input || results.size() != 1) return {};
  Json::Object attributes{{"norm_type", aten::value_of(power, "exponent")}};
  for (const char* name : {"kernel_size", "stride", "ceil_mode"})
    if (const Json value = aten::value_of(pool, name); !value.is_null() && value != Json(Json::Array{}))
      attributes.set(name, value);
  return aten::ModuleForm{"LPPool" + suffix, std::move(attributes), {{"input", {*input}, false}}, {results[0]}};
}

}  // namespace

std::vector<Row> aten_rows() {
  std::vector<Row> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    const std::string suffix = torch_suffix(axes);
    result.push_back(pooling("max_pool" + suffix, "MaxPool" + suffix));
    result.push_back(pooling("avg_pool" + suffix, "AvgPool" + suffix));
    result.push_back(pooling_with_places({"max_pool" + suffix + "_with_indices"}, "MaxPool" + suffix));
    result.push_back(
        aten::plain({"adaptive_avg_pool" + suffix, "_adaptive_avg_pool" + suffix}, "AdaptiveAvgPool" + suffix));
    result.push_back(pooling_with_places({"adaptive_max_pool" + suffix}, "AdaptiveMaxPool" + suffix));
    result.push_back(aten::whole_module("LPPool" + suffix,
                                        [suffix](const aten::ModuleGroup& group) { return by_power(group, suffix); }));
  }
  return result;
}

}  // namespace h5bridge::pooling
