// Several layers in place of one, where Keras 2 has no such layer and says what it computes by others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "h5bridge/json.h"

namespace h5bridge {

/// Makes the layers that one layer falls into, in the form of Keras 3. The last takes the layer's name, so that what
/// is behind it stays as it is. Each call of the layer makes calls of the same parts.
class Parts {
 public:
  /// `taken` has the names in the model, to which those of the parts are added.
  Parts(std::string name, std::set<std::string>& taken) : name_(std::move(name)), taken_(taken) {}

  /// The next call's parts are those of the first one.
  void begin_call() { place_ = 0; }

  /// A call of an operation of Keras 3's which TensorFlow has a function for. The tensor it gives has this shape, and
  /// the dtype of the first tensor among `args` if none is given.
  Json operation(std::string_view class_name, Json::Object config, Json::Array args, Json shape,
                 const std::string& dtype = "");
  /// The same of one tensor, whose shape stays.
  Json operation(std::string_view class_name, const Json& tensor, Json::Object config = {});
  /// Of two that are broadcast; either may be a number.
  Json binary(std::string_view class_name, const Json& first, const Json& second, const std::string& dtype = "");
  /// What stands at these places, of this shape.
  Json item(const Json& tensor, Json key, Json shape);
  /// A call of a layer of Keras's.
  Json layer(std::string_view class_name, Json::Object config, const Json& tensor, Json shape);
  Json layer(std::string_view class_name, Json::Object config, Json::Array args, Json::Object keywords, Json shape);

  bool empty() const { return entries_.empty(); }
  /// The entries of the model's list of layers.
  Json::Array finished();

 private:
  Json called(const std::string& module, std::string_view class_name, Json::Object config, Json::Array args, Json shape,
              const std::string& dtype, Json::Object keywords = {});
  std::string next_name();

  std::string name_;
  std::set<std::string>& taken_;
  Json::Array entries_;
  std::size_t place_ = 0;
};

const Json::Array& shape_of(const Json& tensor);
std::string dtype_of(const Json& tensor);
/// An axis counted from the front. Throws Unsupported for one that is none of the tensor's.
std::size_t axis_of(const Json& tensor, std::int64_t axis);
/// The extent of an axis. Throws Unsupported where it is left open.
std::int64_t fixed_extent(const Json& tensor, std::size_t axis);

}  // namespace h5bridge
