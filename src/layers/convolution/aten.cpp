#include "layers/convolution/aten.h"

#include <algorithm>

#include "facets/aten/row.h"
#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "model/checked.h"

namespace h5bridge::convolution {

using aten::Call;

void as_module(Call& call) {
  const bool is_transposed = call.type.starts_with("conv_transpose");
  const Shape weight = call.weight_shape("weight");
  if (weight.size() < 3) throw Unsupported("its weight has shape " + to_string(weight) + ", expected more axes");
  const std::int64_t groups = call.integer("groups", 1);
  const auto all = [&](std::int64_t channels) { return checked_multiply(channels, groups, "the number of channels"); };
  call.type = (is_transposed ? "ConvTranspose" : "Conv") + torch_suffix(weight.size() - 2);
  call.attributes.set("in_channels", is_transposed ? weight[0] : all(weight[1]));
  call.attributes.set("out_channels", is_transposed ? all(weight[1]) : weight[0]);
  call.attributes.set("kernel_size", Json::array(Shape(weight.begin() + 2, weight.end())));
  call.attributes.set("bias", call.has("bias"));
}

namespace {

// The one operator that all of them become in run_decompositions().
void either_direction(Call& call) {
  const Json transposed = call.take("transposed");
  const Json output_padding = call.take("output_padding");
  const std::string axes = torch_suffix(call.weight_shape("weight").size() - 2);
  call.type = "conv" + axes;
  if (transposed != Json(true)) return;
  call.type = "conv_transpose" + axes;
  call.attributes.set("output_padding", output_padding);
}

// PyTorch's padding of both ends of each axis, from the last axis on; nothing where the ends differ.
std::optional<Json> as_padding(const Json& ends) {
  Json::Array result;
  if (!ends.is_array() || ends.as_array().size() % 2) return {};
  for (std::size_t i = 0; i < ends.as_array().size(); i += 2) {
    if (!ends.as_array()[i].is_integer() || ends.as_array()[i] != ends.as_array()[i + 1]) return {};
    result.insert(result.begin(), ends.as_array()[i]);
  }
  return result;
}

// Whether the ends, from the last axis on, are those of the padding "same", the odd element behind.
bool are_same(const Json& ends, const Shape& kernel, const Json& dilation) {
  if (!ends.is_array() || ends.as_array().size() != 2 * kernel.size()) return false;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::size_t axis = kernel.size() - 1 - i;
    const Json* step = dilation.is_array() && axis < dilation.as_array().size() ? &dilation.as_array()[axis] : nullptr;
    if (step && !step->is_integer()) return false;
    const std::int64_t total =
        checked_multiply(kernel[axis] - 1, step ? step->as_integer() : 1, "the reach of its window");
    if (ends.as_array()[2 * i] != Json(total / 2) || ends.as_array()[2 * i + 1] != Json(total - total / 2))
      return false;
  }
  return true;
}

// A padding that is none of zeros is an operator of its own before the convolution.
std::optional<aten::ModuleForm> padded(const aten::ModuleGroup& group, std::size_t axes) {
  const auto& operations = group.operations();
  if (operations.size() != 2 || operations[0]->plain_name() != "pad") return {};
  const aten::Operation& convolution = *operations[1];
  const std::string* weight = aten::tensor_of(convolution, "weight");
  const std::string* of = aten::tensor_of(*operations[0], "self");
  const std::string* input = aten::tensor_of(convolution, "input");
  const Json ends = aten::value_of(*operations[0], "pad");
  const Json own_padding = aten::value_of(convolution, "padding");
  if (!weight || group.own_name(*weight) != "weight" || !of || !input || group.maker_of(*input) != operations[0] ||
      (own_padding.is_array() &&
       std::ranges::any_of(own_padding.as_array(), [](const Json& p) { return p != Json(0); })))
    return {};
  const auto sizes = group.sizes(*weight);
  if (!sizes || sizes->size() != axes + 2) return {};
  const Shape kernel(sizes->begin() + 2, sizes->end());
  auto padding = as_padding(ends);
  if (padding && padding->as_array().size() != axes) return {};
  if (!padding && are_same(ends, kernel, aten::value_of(convolution, "dilation"))) padding = Json("same");
  if (!padding) return {};
  const Json groups = aten::value_of(convolution, "groups");
  const std::int64_t count = groups.is_integer() ? groups.as_integer() : 1;
  Json::Object attributes{{"in_channels", checked_multiply(sizes->at(1), count, "the number of channels")},
                          {"out_channels", sizes->at(0)},
                          {"kernel_size", Json::array(kernel)},
                          {"padding", *padding},
                          {"padding_mode", aten::value_of(*operations[0], "mode")},
                          {"bias", aten::tensor_of(convolution, "bias") != nullptr},
                          {"groups", count}};
  for (const char* name : {"stride", "dilation"})
    if (const Json value = aten::value_of(convolution, name); !value.is_null()) attributes.set(name, value);
  return aten::ModuleForm{
      "Conv" + torch_suffix(axes), std::move(attributes), {{"input", {*of}, false}}, {convolution.outputs.at(0)}};
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  std::vector<aten::Row> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    const std::string name = "conv" + torch_suffix(axes);
    result.push_back({.operators = {name}, .type = name, .parameters = {"weight", "bias"}, .as_module = as_module});
    result.push_back(aten::whole_module("Conv" + torch_suffix(axes),
                                        [axes](const aten::ModuleGroup& group) { return padded(group, axes); }));
  }
  result.push_back({.operators = {"convolution", "_convolution"},
                    .type = "conv2d",
                    .ignored = {"benchmark", "deterministic", "cudnn_enabled", "allow_tf32"},
                    .adjust = either_direction,
                    .parameters = {"weight", "bias"},
                    .as_module = as_module});
  return result;
}

}  // namespace h5bridge::convolution
