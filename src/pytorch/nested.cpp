#include "pytorch/nested.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/tensor_code.h"

namespace h5bridge {
namespace {

std::string text_of_step(const PathStep& step) {
  const auto* text = std::get_if<std::string>(&step);
  return text ? shortened(*text) : std::to_string(std::get<std::int64_t>(step));
}

std::optional<std::int64_t> number_in(const PathStep& step) {
  const auto* text = std::get_if<std::string>(&step);
  if (!text) return std::get<std::int64_t>(step);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc{} && end == text->data() + text->size() ? std::optional(number) : std::nullopt;
}

}  // namespace

void Nested::add(const std::vector<PathStep>& path, NestedLeaf leaf) {
  Node* node = &root_;
  for (const PathStep& step : path) {
    if (node->leaf) throw MalformedFile("\"" + text_of_step(step) + "\" is within what is no dict");
    const auto [known, is_new] = node->places.emplace(step, node->inner.size());
    if (is_new) {
      node->steps.push_back(step);
      node->inner.emplace_back();
    }
    node = &node->inner[known->second];
  }
  if (path.empty() || node->leaf || !node->inner.empty())
    throw MalformedFile("two values have the path to \"" + (path.empty() ? "" : text_of_step(path.back())) + "\"");
  node->leaf = std::move(leaf);
}

std::string Nested::pickled() const {
  pickle::Writer code;
  put(code, root_, false);
  return code.finish();
}

void Nested::put(pickle::Writer& code, const Json& value) {
  if (value.is_null()) return code.none();
  if (value.is_bool()) return code.boolean(value.as_bool());
  if (value.is_integer()) return code.integer(value.as_integer());
  if (value.is_float()) return code.real(value.as_float());
  if (value.is_string()) return code.text(value.as_string());
  value.is_array() ? code.empty_list() : code.empty_dict();
  code.mark();
  if (value.is_array()) {
    for (const Json& item : value.as_array()) put(code, item);
    return code.append();
  }
  for (const auto& [name, item] : value.as_object()) {
    code.text(name);
    put(code, item);
  }
  code.set_items();
}

void Nested::put(pickle::Writer& code, const Node& node, bool are_numbers) {
  if (node.leaf) {
    if (const auto* json = std::get_if<Json>(&*node.leaf)) return put(code, *json);
    const auto& tensor = std::get<StoredTensor>(*node.leaf);
    return put_tensor(code, tensor.dtype, tensor.shape, tensor.storage_key);
  }
  const bool is_list = !node.inner.empty() && std::ranges::all_of(node.steps, [&](const PathStep& step) {
    const auto* place = std::get_if<std::int64_t>(&step);
    return place && node.places.size() > static_cast<std::uint64_t>(*place);
  });
  const bool is_optimizer = node.places.contains(PathStep("state")) && node.places.contains(PathStep("param_groups"));
  is_list ? code.empty_list() : code.empty_dict();
  code.mark();
  if (is_list) {
    // The places are those below their number, each once.
    for (const auto& [place, index] : node.places) put(code, node.inner[index], false);
    return code.append();
  }
  for (std::size_t i = 0; i < node.inner.size(); ++i) {
    const PathStep& step = node.steps[i];
    const auto* text = std::get_if<std::string>(&step);
    const std::optional<std::int64_t> number = !text || are_numbers ? number_in(step) : std::nullopt;
    number ? code.integer(*number) : code.text(*text);
    put(code, node.inner[i], is_optimizer && step == PathStep("state"));
  }
  code.set_items();
}

std::uint64_t size_of_folder(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (const std::uintmax_t size = entry.is_regular_file(error) ? entry.file_size(error) : 0; !error) bytes += size;
  return bytes;
}

}  // namespace h5bridge
