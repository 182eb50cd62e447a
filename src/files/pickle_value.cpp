#include <array>
#include <bit>

#include "files/little_endian.h"
#include "files/pickle.h"

namespace h5bridge::pickle {
namespace {

struct Describe {
  std::string operator()(const None&) const { return "None"; }
  std::string operator()(bool) const { return "a bool"; }
  std::string operator()(std::int64_t) const { return "an int"; }
  std::string operator()(const BigInteger&) const { return "an int"; }
  std::string operator()(double) const { return "a float"; }
  std::string operator()(const std::string&) const { return "a str"; }
  std::string operator()(const Bytes&) const { return "bytes"; }
  std::string operator()(const List&) const { return "a list"; }
  std::string operator()(const Tuple&) const { return "a tuple"; }
  std::string operator()(const Set&) const { return "a set"; }
  std::string operator()(const Dict& dict) const { return dict.ordered ? "an OrderedDict" : "a dict"; }
  std::string operator()(const Global& global) const { return "the name " + global.path(); }
  std::string operator()(const Persistent&) const { return "a persistent id"; }
  std::string operator()(const Object& object) const {
    const auto* global = object.callable->as<Global>();
    return global ? "an object of " + global->path() : "an object";
  }
};

template <typename Stored, typename Bits>
double decode(std::string_view content) {
  return static_cast<double>(std::bit_cast<Stored>(load_little_endian<Bits>(bytes_of(content))));
}

struct Scalar {
  std::string_view dtype;
  std::size_t size;
  double (*decode)(std::string_view);
};
constexpr std::array<Scalar, 4> kScalars{{
    {"f8", 8, decode<double, std::uint64_t>},
    {"f4", 4, decode<float, std::uint32_t>},
    {"i8", 8, decode<std::int64_t, std::uint64_t>},
    {"i4", 4, decode<std::int32_t, std::uint32_t>},
}};

/// numpy's scalar(dtype('f8'), bytes), which is what a metric often is.
std::optional<double> numpy_scalar(const Value& value) {
  const std::string path = class_of(value);
  if (path != "numpy.core.multiarray.scalar" && path != "numpy._core.multiarray.scalar") return std::nullopt;
  const auto& arguments = value.as<Object>()->arguments->as<Tuple>()->items;
  if (arguments.size() != 2 || class_of(*arguments[0]) != "numpy.dtype") return std::nullopt;
  const auto& dtype = arguments[0]->as<Object>()->arguments->as<Tuple>()->items;
  const auto* name = dtype.empty() ? nullptr : dtype[0]->as<std::string>();
  const auto* content = arguments[1]->as<Bytes>();
  // A str where Python 2, or a protocol-2 pickle of ASCII bytes, wrote the content.
  const auto* text = arguments[1]->as<std::string>();
  if (!name || (!content && !text)) return std::nullopt;
  const std::string& bytes = content ? content->content : *text;
  for (const Scalar& scalar : kScalars)
    if (scalar.dtype == *name && scalar.size == bytes.size()) return scalar.decode(bytes);
  return std::nullopt;
}

}  // namespace

std::string describe(const Value& value) { return visit(Describe{}, value); }

Object::Additions& Object::to_add_to() {
  if (!additions) additions = std::make_unique<Additions>();
  return *additions;
}

const std::vector<Ref>& Object::list_items() const {
  static const std::vector<Ref> none;
  return additions ? additions->list_items : none;
}

const Items& Object::dict_items() const {
  static const Items none;
  return additions ? additions->dict_items : none;
}

Ref find(const Dict& dict, std::string_view key) {
  for (auto item = dict.items.rbegin(); item != dict.items.rend(); ++item)
    if (const auto* name = item->first->as<std::string>(); name && *name == key) return item->second;
  return nullptr;
}

const std::vector<Ref>* sequence(const Value& value) {
  if (const auto* list = value.as<List>()) return &list->items;
  if (const auto* tuple = value.as<Tuple>()) return &tuple->items;
  return nullptr;
}

std::string class_of(const Value& value) {
  const auto* object = value.as<Object>();
  const auto* global = object ? object->callable->as<Global>() : nullptr;
  return global ? global->path() : "";
}

std::optional<double> number(const Value& value) {
  if (const auto* integer = value.as<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* real = value.as<double>()) return *real;
  if (const auto* truth = value.as<bool>()) return *truth ? 1.0 : 0.0;
  return numpy_scalar(value);
}

}  // namespace h5bridge::pickle
