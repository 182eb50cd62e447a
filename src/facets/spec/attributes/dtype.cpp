#include "facets/spec/attributes/dtype.h"

#include "facets/spec/attributes/text.h"

namespace h5bridge {
namespace {

std::vector<std::string> names_of(const std::vector<DType>& dtypes) {
  std::vector<std::string> names;
  for (const DType dtype : dtypes) names.emplace_back(name_of(dtype));
  return names;
}

class DTypeKind : public AttributeKind {
 public:
  explicit DTypeKind(const std::vector<DType>& choices) : names_(text_kind(names_of(choices))) {}

  AttributeValue read(const Json& json) const override {
    return *dtype_named(std::get<std::string>(names_->read(json)));
  }
  Json schema() const override { return names_->schema(); }
  std::string describe() const override { return names_->describe(); }

 private:
  AttributeKindPtr names_;
};

}  // namespace

AttributeSpec dtype_attribute(DType fallback, const std::vector<DType>& choices, std::string meaning) {
  return {"dtype", std::make_shared<DTypeKind>(choices), std::move(meaning), fallback};
}

}  // namespace h5bridge
