#include "cli/expected.h"

#include <algorithm>

#include "convert/arrays.h"
#include "facets/keras/keras_plan.h"
#include "h5bridge/error.h"
#include "keras/output_names.h"

namespace h5bridge::cli {
namespace {

// What Keras would call the outputs of a model of PyTorch's; of layers that share their tensors it may have but one.
std::vector<std::string> names_in_keras(Model model) {
  std::vector<std::string> names;
  try {
    if (model.framework != Framework::Keras)
      name_keras_outputs(*model.architecture);  // others were read with their names
    model.framework = Framework::Keras;
    for (const Presentation::Port& output : presentation_of(model).outputs) names.push_back(output.name);
  } catch (const Unsupported&) {  // Keras has no such model
  }
  return names;
}

// What each output is called where the same network comes from the other framework, or from other files.
std::vector<std::vector<std::string>> other_names(const Model& model) {
  const std::vector<Output>& outputs = model.architecture->outputs;
  const std::vector<std::string> in_keras = names_in_keras(model);
  std::vector<std::vector<std::string>> names;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& node = outputs[i].value.node;
    names.push_back({i == 0 ? "output" : "output_" + std::to_string(i), node, keras_name(node)});
    if (i < in_keras.size()) names.back().push_back(in_keras[i]);
  }
  return names;
}

void take_other_names(std::vector<NamedTensor>& arrays, const Presentation& looks,
                      const std::vector<std::vector<std::string>>& other_names) {
  for (NamedTensor& array : arrays) {
    if (std::ranges::find(looks.outputs, array.name, &Presentation::Port::name) != looks.outputs.end()) continue;
    for (std::size_t i = 0; i < looks.outputs.size(); ++i) {
      const std::string& own = looks.outputs[i].name;
      const bool is_given = std::ranges::find(arrays, own, &NamedTensor::name) != arrays.end();
      if (!is_given && std::ranges::count(other_names.at(i), array.name) > 0) array.name = own;
    }
  }
}

}  // namespace

std::vector<NamedTensor> read_expected(const std::vector<std::string>& arguments, const Model& model,
                                       const Presentation& looks, std::vector<NamedTensor>& others) {
  // A name that no output has is a mistake; an array too many is an output that is not there.
  std::vector<NamedTensor> arrays = read_arrays(arguments);
  take_other_names(arrays, looks, other_names(model));
  return named_for(arrays, looks.outputs, "output", arrays.size() > looks.outputs.size() ? &others : nullptr);
}

}  // namespace h5bridge::cli
