#include "facets/spec/attributes/numbers.h"

#include "facets/spec/attributes/elements.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

class NumbersKind : public AttributeKind {
 public:
  explicit NumbersKind(std::size_t length) : length_(length) {}

  AttributeValue read(const Json& json) const override {
    return read_elements(json, length_, [](const Json& element) { return element.as_float(); });
  }
  Json schema() const override { return schema_of_elements(schema::of_type("number"), length_); }
  std::string describe() const override { return describe_elements("number", length_); }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    return lists_agree<double>(a, b, numbers_agree);
  }
  bool takes_array() const override { return true; }

 private:
  std::size_t length_;
};

}  // namespace

AttributeSpec required_numbers(std::string name, std::size_t length, std::string meaning) {
  return {std::move(name), std::make_shared<NumbersKind>(length), std::move(meaning)};
}

}  // namespace h5bridge
