#include "cli/summary.h"

#include <array>
#include <set>

#include "cli/output.h"
#include "convert/tensor_agreement.h"
#include "facets/registry.h"
#include "model/checked.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "passes/infer_types.h"
#include "passes/multiply_adds.h"
#include "picture/picture.h"

namespace h5bridge::cli {
namespace {

/// Numbers of the model's own precision are what is expected of a layer.
std::string listed(const std::vector<TensorType>& types) {
  std::string result;
  for (const TensorType& type : types)
    result += (result.empty() ? "" : ", ") + to_string(type.shape) +
              (is_floating_point(type.dtype) ? "" : " " + std::string(name_of(type.dtype)));
  return result;
}

struct Held {
  std::int64_t trainable = 0;
  std::int64_t frozen = 0;
  std::int64_t buffers = 0;
  std::uint64_t bytes = 0;

  std::int64_t all() const { return trainable + frozen + buffers; }
  void add(const Held& other) {
    trainable += other.trainable;
    frozen += other.frozen;
    buffers += other.buffers;
    bytes += other.bytes;
  }
};

Held held_by(const Layer& layer, const std::set<std::string>& frozen) {
  Held result;
  for (const ParameterSpec& spec : Registry::instance().type_of(layer).parameters(layer.attributes)) {
    const std::int64_t count = as_file_says([&] { return element_count(spec.shape); });
    const bool is_frozen = frozen.contains(tensor_name(layer.name, spec.name));
    (spec.role == Role::Buffer ? result.buffers : is_frozen ? result.frozen : result.trainable) += count;
    result.bytes += static_cast<std::uint64_t>(count) * size_of(spec.dtype);
  }
  return result;
}

std::string words_for(const Held& held) {
  if (held.all() == 0) return "";
  return with_commas(held.all()) + (held.frozen > 0 && held.trainable == 0 ? ", frozen"
                                    : held.frozen > 0                      ? ", " + with_commas(held.frozen) + " frozen"
                                                                           : "");
}

// What --fix-size may bind: all but the batch.
std::string open_sizes(const Architecture& architecture) {
  std::set<std::string> names;
  for (const Input& input : architecture.inputs)
    for (std::size_t axis = 1; axis < input.shape.size(); ++axis)
      for (const std::string& name : input.shape[axis].symbols()) names.insert(name);
  std::string result;
  for (const std::string& name : names) result += (result.empty() ? " (--fix-size " : " --fix-size ") + name + "=N";
  return result.empty() ? "" : result + " binds sizes)";
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return short_number(value) + " " + kUnits[unit];
}

std::int64_t print_summary(const Architecture& architecture, const std::map<std::string, bool>& trainable) {
  const std::vector<std::string> names = frozen_parameters(architecture, trainable);
  const std::set<std::string> frozen(names.begin(), names.end());
  const Types types = infer_types(architecture);
  const auto computed = multiply_adds(architecture);
  std::set<std::string> seen;
  std::vector<std::vector<std::string>> rows{{"call", "type", "output", "elements", "multiply-adds"}};
  Held total;
  std::int64_t products = 0, untold = 0;
  for (const Node& node : architecture.nodes) {
    const Layer& layer = architecture.layer_of(node);
    const Held held = seen.insert(layer.name).second ? held_by(layer, frozen) : Held();
    total.add(held);
    const std::optional<std::int64_t>& count = computed.at(node.name);
    products += count.value_or(0);
    untold += !count;
    const std::string work = !count ? "?" : *count == 0 ? "" : with_commas(*count);
    rows.push_back(
        {node.name, shown_type(as_called(layer, node)), listed(types.outputs_of(node.name)), words_for(held), work});
  }
  if (rows.size() == 1) return 0;
  const std::size_t calls = architecture.nodes.size();
  print_table("layers, with the shapes of their outputs" +
                  (seen.size() == calls ? std::string(":")
                                        : ": " + with_commas(static_cast<std::int64_t>(calls)) + " calls of " +
                                              with_commas(static_cast<std::int64_t>(seen.size())) + " layers"),
              rows, 2);
  if (total.all() == 0) return 0;
  print_wrapped("in all, as PyTorch's modules have them: " + with_commas(total.all()) + " elements of " +
                bytes_text(total.bytes) + ": " + with_commas(total.trainable) + " trainable, " +
                with_commas(total.frozen) + " frozen, " + with_commas(total.buffers) + " in buffers");
  if (products > 0 || untold > 0)
    print_wrapped("multiply-adds with weights, of one example: " + with_commas(products) +
                  (untold == 0 ? ""
                               : ", without " + std::to_string(untold) + (untold == 1 ? " call" : " calls") +
                                     " (?) whose sizes or settings do not tell" + open_sizes(architecture)));
  return total.all();
}

}  // namespace h5bridge::cli
