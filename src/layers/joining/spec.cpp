#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "h5bridge/error.h"
#include "layers/joining/parts.h"
#include "layers/masking/mask_steps.h"

namespace h5bridge::joining {
namespace {

// A stranger's file may ask for any number of parts, of an axis that it may say to be as long as it likes.
constexpr std::int64_t kMostParts = 65536;
constexpr std::int64_t kMostOpenParts = 4096;
using Shapes = std::vector<SymbolicShape>;

void check_number(std::int64_t parts, const Size& size) {
  if (parts > (size.is_open() ? kMostOpenParts : kMostParts))
    throw MalformedFile("it cuts an axis into " + std::to_string(parts) + " parts");
}

LayerType function(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes) {
  attributes.push_back(integer("dim", 0, "the axis"));
  return function_type(name, summary, std::move(attributes));
}

void check_alike(const SymbolicShape& a, const SymbolicShape& b, std::int64_t but) {
  if (a.size() != b.size()) throw_misfit(a, b);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (static_cast<std::int64_t>(i) != but && a[i].value() && b[i].value() && a[i] != b[i]) throw_misfit(a, b);
}

// Up to Keras 2, a step counts where it does in all inputs, or, joined along the steps, where it did in its own input
// (compute_mask of tensorflow 2.15 python/keras/layers/merging/concatenate.py).
std::optional<MaskRule::Joint> joint_of_masks(const Layer& layer, std::int64_t rank) {
  const std::int64_t axis = resolve_axis(layer.attributes.integer("dim"), rank);
  if (axis == rank - 1) return MaskRule::Joint{.step = masking::both()};
  if (axis == 1) return MaskRule::Joint{.step = masking::one_behind_the_other(), .needs_all = true};
  return std::nullopt;
}

LayerType concatenation() {
  LayerType type = function("cat", "joins tensors along an axis", {});
  type.source += "; keras/src/layers/merging/concatenate.py";
  type.operands = {list("tensors")};
  type.mask = joins_masks(joint_of_masks);
  type.layout = counts_axis("dim");
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()));
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      check_alike(result, inputs[i], axis);
      result[axis] = result[axis] + inputs[i][axis];
    }
    return {result};
  };
  type.samples = {
      {"channels", {{"dim", 1}}, {{2, 3, 4, 5}, {2, 2, 4, 5}}},
      {"last axis, three inputs", {{"dim", -1}}, {{3, 7}, {3, 2}, {3, 1}}},
      {"height", {{"dim", 2}}, {{2, 3, 4, 5}, {2, 3, 1, 5}}},
      {"one input", {{"dim", 1}}, {{3, 7}}},
      {"batch", {}, {{3, 7}, {3, 7}}},
  };
  return type;
}

LayerType stack() {
  LayerType type = function("stack", "joins tensors along a new axis", {});
  type.operands = {list("tensors")};
  type.layout = adds_axis("dim");
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    for (const SymbolicShape& input : inputs) check_alike(inputs[0], input, -1);
    SymbolicShape result = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()) + 1);
    result.insert(result.begin() + axis, Size(static_cast<std::int64_t>(inputs.size())));
    return {result};
  };
  type.samples = {
      {"after the batch", {{"dim", 1}}, {{2, 3, 4}, {2, 3, 4}}},
      {"last axis, three inputs", {{"dim", -1}}, {{3, 7}, {3, 7}, {3, 7}}},
      {"one input", {{"dim", 2}}, {{1, 3, 4}}},
  };
  return type;
}

// What cuts an axis into parts.
LayerType cut(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes,
              std::vector<Json::Object> settings) {
  LayerType type = function(name, summary, std::move(attributes));
  type.layout = counts_axis("dim");
  type.shapes = [name](const Attributes& a, const Shapes& inputs) -> Shapes {
    const SymbolicShape& input = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(input.size()));
    Shapes result;
    for (const Size& extent : parts_of(name, a, input[axis])) {
      result.push_back(input);
      result.back()[axis] = extent;
    }
    return result;
  };
  for (Json::Object& setting : settings) {
    const std::string what = Json(setting).dump();
    setting.set("dim", 1);
    type.samples.push_back({what, setting, {{2, 7, 4}}});
  }
  Json::Object last = type.samples.at(0).attributes;
  last.set("dim", -1);
  type.samples.push_back({"last axis", std::move(last), {{3, 7}}});
  return type;
}

LayerType unbind() {
  LayerType type = function("unbind", "the parts along an axis, which they lose", {});
  type.layout = drops_axis("dim");
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape part = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(part.size()));
    const std::int64_t count = known_extent(part[axis]);
    check_number(count, part[axis]);
    part.erase(part.begin() + axis);
    return Shapes(count, part);
  };
  type.samples = {{"after the batch", {{"dim", 1}}, {{2, 3, 4}}}, {"last axis", {{"dim", -1}}, {{3, 2, 4, 3}}}};
  return type;
}

}  // namespace

std::int64_t known_extent(const Size& size) {
  if (const auto value = size.value()) return *value;
  throw Unsupported("the axis that it cuts has the open size " + size.str() +
                    ", so that the number of parts is not known; LoadOptions::fix_sizes may help");
}

namespace {

std::int64_t at_least(std::int64_t least, const char* name, std::int64_t value) {
  if (value < least)
    throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(value) + ", expected at least " +
                        std::to_string(least));
  return value;
}

// Parts of one length, and a last one of what is left over.
std::vector<Size> equal_parts(std::int64_t extent, std::int64_t length) {
  check_number(extent / length, extent);
  std::vector<Size> result;
  for (std::int64_t start = 0; start < extent; start += length) result.push_back(std::min(length, extent - start));
  return result;
}

std::vector<Size> chunks_of(std::int64_t chunks, const Size& size) {
  const Size length = size.ceil_divide(chunks);
  if (const auto extent = size.value()) return equal_parts(*extent, std::max<std::int64_t>(1, *length.value()));
  check_number(chunks, size);
  // That there are so many is what a model relies on that names them all.
  std::vector<Size> result(chunks - 1, length);
  result.push_back(size - length * Size(chunks - 1));
  return result;
}

std::vector<Size> split_of(const Attributes& a, const Size& size) {
  const SymbolicShape lengths = a.open_integers("split_size");
  if (lengths.size() == 1)
    return equal_parts(known_extent(size), at_least(1, "split_size", a.integers("split_size")[0]));
  Size sum;
  for (const Size& length : lengths) {
    at_least(0, "split_size", length.value().value_or(0));
    sum = sum + length;
  }
  if (size.value() && sum.value() && sum != size)
    throw MalformedFile("its parts " + to_string(lengths) + " are not the " + size.str() + " elements of the axis");
  return lengths;
}

// So many parts, the first of which get what is left over.
std::vector<Size> sections_of(std::int64_t sections, const Size& size) {
  check_number(sections, size);
  if (sections > size.value().value_or(sections))
    throw MalformedFile("\"sections\" is " + std::to_string(sections) + ", more than the axis has elements");
  std::vector<Size> result;
  for (std::int64_t i = 0; i < sections; ++i) result.push_back((size + Size(sections - 1 - i)).floor_divide(sections));
  return result;
}

std::vector<Size> between(const std::vector<std::int64_t>& indices, const Size& size) {
  std::vector<Size> result;
  std::int64_t start = 0;
  for (const std::int64_t end : indices) {
    if (end < start || end > size.value().value_or(end))
      throw MalformedFile("its indices " + to_string(indices) + " are not in order, or beyond the axis");
    result.push_back(end - start);
    start = end;
  }
  result.push_back(size - Size(start));
  return result;
}

}  // namespace

std::vector<Size> parts_of(const std::string& type, const Attributes& a, const Size& size) {
  if (type == "chunk") return chunks_of(at_least(1, "chunks", a.integer("chunks")), size);
  if (type == "split") return split_of(a, size);
  if (!a.is_none("sections")) return sections_of(at_least(1, "sections", a.integer("sections")), size);
  return between(a.is_none("indices") ? std::vector<std::int64_t>{} : a.integers("indices"), size);
}

std::vector<LayerType> layer_types() {
  return {
      concatenation(),
      stack(),
      cut("split", "parts of an axis",
          {required_integers("split_size", "the length of all parts but the last, or the lengths")},
          {{{"split_size", 3}}, {{"split_size", Json::Array{2, 4, 1}}}}),
      cut("chunk", "so many parts of an axis", {required_integer("chunks", "how many, at the most")},
          {{{"chunks", 2}}, {{"chunks", 5}}, {{"chunks", 7}}}),
      cut("tensor_split", "parts of an axis",
          {or_none(integer("sections", 1, "how many parts")),
           or_none(required_integers("indices", "where the parts begin, but for the first"))},
          {{{"sections", 3}}, {{"indices", Json::Array{1, 5}}}}),
      unbind(),
  };
}

}  // namespace h5bridge::joining
