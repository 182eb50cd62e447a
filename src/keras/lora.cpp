#include "keras/lora.h"

#include <algorithm>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

bool has_rank(const Json& json) {
  if (json.is_array()) return std::ranges::any_of(json.as_array(), has_rank);
  if (!json.is_object()) return false;
  const Json* rank = json.find("lora_rank");
  return (rank && rank->is_integer()) ||
         std::ranges::any_of(json.as_object(), [](const Json::Member& member) { return has_rank(member.second); });
}

// Out of the configuration itself, before it is a tree: nothing that reads layers knows of LoRA.
void take_out(Json& json, LoraScales& scales) {
  if (json.is_array())
    for (Json& element : json.as_array()) take_out(element, scales);
  if (!json.is_object()) return;
  for (auto& [key, value] : json.as_object()) take_out(value, scales);
  Json::Object& config = json.as_object();
  const Json* rank = config.find("lora_rank");
  const Json* name = config.find("name");
  if (!rank || !rank->is_integer() || !name || !name->is_string()) return;
  if (rank->as_integer() < 1)
    throw MalformedFile("layer " + quoted(*name) + ": lora_rank is " + rank->dump() + ", expected 1 or more");
  const Json* alpha = config.find("lora_alpha");
  const double scale =
      (alpha && alpha->is_number() ? alpha->as_float() : rank->as_float()) / static_cast<double>(rank->as_integer());
  if (const auto [known, is_new] = scales.emplace(name->as_string(), scale); !is_new && known->second != scale)
    throw Unsupported("two layers are called " + quoted(*name) + ", and have LoRA with different factors");
  config.erase("lora_rank");
  config.erase("lora_alpha");
}

std::string without_number(const std::string& path) {
  return path.ends_with(":0") ? path.substr(0, path.size() - 2) : path;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// kernel + scale * a b, over a's last axis and b's first one.
Tensor merged(const KerasVariable& kernel, const KerasVariable& a, const KerasVariable& b, double scale) {
  const Shape &left = a.tensor.shape(), &right = b.tensor.shape();
  const bool fits = left.size() == kernel.tensor.shape().size() && right.size() == 2 && left.back() == right[0] &&
                    std::equal(left.begin(), left.end() - 1, kernel.tensor.shape().begin()) &&
                    right[1] == kernel.tensor.shape().back();
  if (!fits)
    throw MalformedFile(a.path + " and " + b.path + " have the shapes " + to_string(left) + " and " + to_string(right) +
                        ", whose product is not as " + kernel.path + ", " + to_string(kernel.tensor.shape()));
  const auto x = cast(a.tensor, DType::Float64).values<double>(), y = cast(b.tensor, DType::Float64).values<double>();
  auto values = cast(kernel.tensor, DType::Float64).values<double>();
  const auto rank = static_cast<std::size_t>(right[0]), width = static_cast<std::size_t>(right[1]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0;
    for (std::size_t r = 0; r < rank; ++r) sum += x[i / width * rank + r] * y[r * width + i % width];
    values[i] += scale * sum;
  }
  return cast(tensor_of(DType::Float64, kernel.tensor.shape(), values), kernel.tensor.dtype());
}

// "a/lora_kernel_a" and "a/lora_kernel_b" go into "a/kernel".
void merge(KerasLayerWeights& layer, const LoraScales& scales) {
  constexpr std::string_view kBegin = "lora_", kEnd = "_a";
  std::map<std::string, KerasVariable*> by_path;
  for (KerasVariable& variable : layer.variables) by_path.emplace(without_number(variable.path), &variable);
  std::set<const KerasVariable*> factors;
  for (const auto& [path, a] : by_path) {
    const std::string folder = folder_of(path), name = path.substr(folder.size());
    if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) continue;
    const std::string weight = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
    const auto b = by_path.find(folder + "lora_" + weight + "_b"), kernel = by_path.find(folder + weight);
    const std::string owner = folder.empty() ? layer.layer : folder.substr(0, folder.size() - 1);
    const auto scale = scales.find(owner.substr(owner.rfind('/') + 1));
    if (b == by_path.end() || kernel == by_path.end() || scale == scales.end()) continue;
    kernel->second->tensor = merged(*kernel->second, *a, *b->second, scale->second);
    factors.insert({a, b->second});
  }
  std::erase_if(layer.variables, [&](const KerasVariable& variable) { return factors.contains(&variable); });
}

}  // namespace

LoraScales take_lora(Json& model_config) {
  LoraScales scales;
  if (has_rank(model_config)) take_out(model_config, scales);  // what is walked through to be changed is shared no more
  return scales;
}

std::vector<std::string> merge_lora(KerasFile& file, const LoraScales& scales) {
  if (scales.empty()) return {};
  for (KerasLayerWeights& layer : file.layers) merge(layer, scales);
  std::vector<std::string> names;
  for (const auto& [name, scale] : scales) names.push_back('"' + shortened(name) + '"');
  const std::string layers = (names.size() == 1 ? "layer " : "the layers ") + joined(names);
  if (file.training_config.is_object() && file.training_config.as_object().erase("optimizer_config"))
    file.optimizer_left_out = "its state is that of the factors of LoRA in " + layers +
                              ", which are one with the weights now; LoadOptions::optimizer = false leaves it out";
  file.optimizer.clear();
  return {"LoRA of " + layers + " is merged into the weights, to which it is added when Keras computes"};
}

}  // namespace h5bridge
