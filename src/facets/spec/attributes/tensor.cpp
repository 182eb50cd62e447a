#include "facets/spec/attributes/tensor.h"

#include <algorithm>
#include <cmath>

#include "facets/spec/attributes/elements.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"
#include "h5bridge/error.h"
#include "model/base64.h"
#include "model/numbers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr const char* kDtype = "dtype";
constexpr const char* kBytes = "base64";

constexpr std::int64_t kMostNumbers = 65536;      // in a list
constexpr double kExactBelow = 9007199254740992;  // 2^53: integers from there on are not all doubles

Tensor from_numbers(const Json& json) {
  const auto numbers = read_elements(json, 0, [](const Json& element) { return element.as_float(); });
  return tensor_of(DType::Float64, {static_cast<std::int64_t>(numbers.size())}, numbers);
}

Tensor from_bytes(const Json::Object& json) {
  for (const auto& [name, value] : json)
    if (name != kDtype && name != kBytes) throw MalformedFile("has an unknown member \"" + shortened(name) + "\"");
  const std::string& word = json.at(kDtype).as_string();
  const auto dtype = dtype_named(word);
  if (!dtype) throw MalformedFile("no dtype is called \"" + shortened(word) + "\"");
  const std::string& text = json.at(kBytes).as_string();
  std::vector<std::byte> bytes = in_file(kBytes, [&] { return from_base64(text); });
  if (bytes.size() % size_of(*dtype) != 0)
    throw MalformedFile("has " + std::to_string(bytes.size()) + " bytes, which are no elements of " + word);
  const auto count = static_cast<std::int64_t>(bytes.size() / size_of(*dtype));
  return Tensor(*dtype, {count}, bytes_in_memory(std::move(bytes)));
}

// Types of numbers that doubles can hold, but for large integers.
bool has_floats(DType dtype) { return is_floating_point(dtype) && size_of(dtype) > 1; }
bool has_integers(DType dtype) {
  return !is_floating_point(dtype) && dtype != DType::Complex64 && dtype != DType::Complex128;
}

// Whether all are exact, where they are integers.
bool are_exact(DType dtype, const std::vector<double>& numbers) {
  const auto is_exact = [](double number) { return std::abs(number) < kExactBelow; };
  return is_floating_point(dtype) || std::ranges::all_of(numbers, is_exact);
}

// Whether a list of numbers says the tensor, and is not too long.
bool fits_a_list(const Tensor& tensor) {
  if (tensor.element_count() > kMostNumbers || !(has_floats(tensor.dtype()) || has_integers(tensor.dtype())))
    return false;
  return are_exact(tensor.dtype(), as_doubles(tensor));
}

class TensorKind : public AttributeKind {
  AttributeValue read(const Json& json) const override { return elements_from_json(json); }

  Json schema() const override {
    const Json number = schema::of_type("number");
    const Json::Object bytes{
        {"type", "object"},
        {"properties", Json::Object{{kDtype, Json::Object{{"enum", schema::dtypes()}}},
                                    {kBytes, Json::Object{{"type", "string"}, {"contentEncoding", "base64"}}}}},
        {"required", Json::Array{kDtype, kBytes}},
        {"additionalProperties", false}};
    return Json::Object{{"anyOf", Json::Array{number, schema::array_of(number), bytes}}};
  }

  std::string describe() const override { return "numbers, or bytes and their dtype"; }

  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    const Tensor &x = std::get<Tensor>(a), &y = std::get<Tensor>(b);
    if (a == b || x.shape() != y.shape() || !has_floats(x.dtype()) || !has_floats(y.dtype())) return a == b;
    return std::ranges::equal(as_doubles(x), as_doubles(y), numbers_agree);
  }

  std::int64_t since(const AttributeValue& value) const override {
    return fits_a_list(std::get<Tensor>(value)) ? 1 : 2;
  }

  // Any elements may stand in JSON, so that they need not be put into it.
  void check(const AttributeValue& value) const override {
    if (!std::holds_alternative<Tensor>(value)) AttributeKind::check(value);
  }
};

}  // namespace

Json elements_to_json(const Tensor& tensor) {
  if (fits_a_list(tensor)) return Json::array(as_doubles(tensor));
  return bytes_to_json(tensor);
}

Json bytes_to_json(const Tensor& tensor) {
  return Json::Object{{kDtype, name_of(tensor.dtype())}, {kBytes, to_base64(tensor.read())}};
}

Tensor elements_from_json(const Json& json) {
  return json.is_object() ? from_bytes(json.as_object()) : from_numbers(json);
}

AttributeSpec required_elements(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<TensorKind>(), std::move(meaning)};
}

}  // namespace h5bridge
