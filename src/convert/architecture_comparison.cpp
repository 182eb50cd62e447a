#include "convert/architecture_comparison.h"

#include "convert/architecture_beside_file.h"
#include "h5bridge/error.h"
#include "keras/plan.h"

namespace h5bridge {
namespace {

// Layers are compared under Keras's names; of two models of PyTorch's, these say nothing to their owner.
std::string with_own_names(std::string text, const Model& a, const Model& b) {
  if (a.framework != Framework::Torch || b.framework != Framework::Torch) return text;
  for (const Model* model : {&b, &a})
    for (const Layer& layer : model->architecture->layers) {
      const std::string theirs = '"' + keras_name(layer.name) + '"', own = '"' + layer.name + '"';
      if (theirs == own) continue;
      for (std::size_t at = 0; (at = text.find(theirs, at)) != std::string::npos; at += own.size())
        text.replace(at, theirs.size(), own);
    }
  return text;
}

}  // namespace

ArchitectureComparison compare_architectures(const Model& a, const Model& b) {
  ArchitectureComparison result;
  if (!a.architecture || !b.architecture) return result;
  const bool have_weights = !a.weights.empty() || !b.weights.empty();
  try {
    const NetworkNames names{.there = "in the first", .here = "in the second"};
    for (const NetworkDifference& difference : network_differences_of(*a.architecture, *b.architecture, names)) {
      const std::string text = "in the second the network " +
                               std::string(difference.certainty == Certainty::Certain    ? "is another: "
                                           : difference.certainty == Certainty::Possible ? "may be another: "
                                                                                         : "is trained otherwise: ") +
                               with_own_names(difference.text, a, b);
      const bool differs = difference.certainty == Certainty::Certain && !have_weights;
      (differs ? result.differences : result.notes).push_back(text);
    }
  } catch (const Unsupported& error) {
    (have_weights ? result.notes : result.differences)
        .push_back("the architectures differ, and cannot be compared layer by layer: " + std::string(error.what()));
  }
  return result;
}

}  // namespace h5bridge
