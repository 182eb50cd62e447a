#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/window.h"

namespace h5bridge::padding {
namespace {

// PyTorch lists the last axis first, in one flat list; Keras the first axis first, in pairs (one axis: a plain pair).
Spelling pairs(std::size_t axes) {
  return {[axes](const AttributeValue& value) {
            const auto& flat = std::get<std::vector<std::int64_t>>(value);
            Json::Array result;
            for (std::size_t i = 2 * axes; i > 0; i -= 2) result.push_back(Json::Array{flat[i - 2], flat[i - 1]});
            return axes == 1 ? result[0] : Json(result);
          },
          [axes](const Json& json) -> AttributeValue {
            std::vector<std::int64_t> flat;
            const Json::Array whole = axes == 1 ? Json::Array{json} : json.as_array();
            for (auto pair = whole.rbegin(); pair != whole.rend(); ++pair) {
              const Json::Array& ends = pair->as_array();
              if (ends.size() != 2) throw MalformedFile("is " + json.dump() + ", expected pairs");
              for (const Json& end : ends) flat.push_back(end.as_integer());
            }
            if (flat.size() != 2 * axes) throw MalformedFile("is " + json.dump() + ", expected " + std::to_string(axes) + " pairs");
            return flat;
          }};
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes)
    result.push_back({.type = "ZeroPad" + torch_suffix(axes),
                      .class_name = "ZeroPadding" + keras_suffix(axes),
                      .attributes = {{"padding", "padding", pairs(axes)}, {"data_format", "data_format", spelling::text(), std::string("channels_last")}}});
  return result;
}

}  // namespace h5bridge::padding
