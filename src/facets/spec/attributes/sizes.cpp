#include "facets/spec/attributes/sizes.h"

#include "facets/spec/attributes/elements.h"
#include "facets/spec/attributes/open.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

class SizesKind : public AttributeKind {
 public:
  explicit SizesKind(std::size_t length) : length_(length) {}

  AttributeValue read(const Json& json) const override {
    if (json.is_integer() || json.is_string()) return SymbolicShape{size_from(json)};
    SymbolicShape result;
    for (const Json& element : json.as_array()) result.push_back(size_from(element));
    check_element_count(result.size(), length_);
    return result;
  }

  AttributeValue bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const override {
    SymbolicShape result = std::get<SymbolicShape>(value);
    for (Size& size : result) size = size.bind(sizes);
    return result;
  }

  Json schema() const override {
    return schema::any_of(schema::reference("size"), schema::array_of(schema::reference("size")));
  }
  std::string describe() const override { return length_ == 1 ? "size" : "sizes"; }
  // An open size stands for any.
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    return lists_agree<Size>(a, b, [](const Size& x, const Size& y) { return x.is_open() || y.is_open() || x == y; });
  }

 private:
  std::size_t length_;
};

}  // namespace

AttributeSpec required_sizes(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<SizesKind>(0), std::move(meaning)};
}

AttributeSpec required_size(std::string name, std::string meaning) {
  return {std::move(name), std::make_shared<SizesKind>(1), std::move(meaning)};
}

}  // namespace h5bridge
