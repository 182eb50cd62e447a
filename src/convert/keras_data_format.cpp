#include "convert/keras_data_format.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "convert/architecture_beside_file.h"
#include "passes/layout.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

std::optional<DataFormat> format_named(const Json& name) {
  return name.is_string() ? data_format_named(name.as_string()) : std::nullopt;
}

// The first data format that a configuration mentions, anywhere, since a layer may hold others that the tree does not
// take apart (an RNN's cell); layers that do not care mention none. A Flatten's is not the model's.
std::optional<DataFormat> stated_format(const Json& config) {
  if (config.is_array())
    for (const Json& element : config.as_array())
      if (const auto format = stated_format(element)) return format;
  if (config.is_object() && !(config.find("class_name") && *config.find("class_name") == Json("Flatten")))
    for (const auto& [name, value] : config.as_object()) {
      if (const auto format = name == "data_format" ? format_named(value) : stated_format(value)) return format;
    }
  return std::nullopt;
}

// The one format in which the inputs of `architecture` are as the configuration has them; nullopt if both are, or none.
// A size that is open on one side alone counts against a format only where it tells the two apart.
std::optional<DataFormat> fitting_format(const KerasModel& model, const Architecture& architecture) {
  std::map<std::string, const Json*> shapes;
  for (const KerasLayer& layer : model.layers)
    if (layer.class_name == "InputLayer")
      if (const Json* shape = layer.find("batch_shape")) shapes[layer.keras_name] = shape;
  const auto fits = [&](DataFormat format, bool exactly) {
    const LayoutChange change = change_layout(architecture, format, Framework::Keras);
    return std::ranges::all_of(change.architecture.inputs, [&](const Input& input) {
      const auto shape = shapes.find(keras_name(input.name));
      if (shape == shapes.end() || !shape->second->is_array()) return true;
      const auto may_be = [&](const Size& size, const Json& found) {
        if (size.is_open() || found.is_null()) return !exactly || size.is_open() == found.is_null();
        return Json(*size.value()) == found;
      };
      return std::ranges::equal(input.shape, shape->second->as_array(), may_be);
    });
  };
  for (const bool exactly : {true, false}) {
    const bool is_last = fits(DataFormat::ChannelsLast, exactly);
    if (is_last != fits(DataFormat::ChannelsFirst, exactly))
      return is_last ? DataFormat::ChannelsLast : DataFormat::ChannelsFirst;
  }
  return std::nullopt;
}

}  // namespace

DataFormat data_format_of_file(const KerasFile& file, const KerasModel& stated_model,
                               const Architecture& architecture) {
  const Json* noted = file.extra.find("data_format");
  auto stated = noted ? format_named(*noted) : stated_format(file.model_config);
  if (!stated && file.model_config.is_object()) stated = fitting_format(stated_model, architecture);
  if (!stated && !noted && !architecture.keras.class_name) stated = format_by_layers(file, architecture);
  return stated.value_or(presented_format(architecture, Framework::Keras));
}

}  // namespace h5bridge
