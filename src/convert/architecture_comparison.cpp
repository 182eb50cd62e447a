#include "convert/architecture_comparison.h"

#include "convert/architecture_beside_file.h"
#include "h5bridge/error.h"

namespace h5bridge {

ArchitectureComparison compare_architectures(const Model& a, const Model& b) {
  ArchitectureComparison result;
  if (!a.architecture || !b.architecture) return result;
  const bool have_weights = !a.weights.empty() || !b.weights.empty();
  try {
    for (const NetworkDifference& difference : network_differences_of(*a.architecture, *b.architecture)) {
      // "here" is the second.
      const std::string text = "in the second the network " +
                               std::string(difference.certainty == Certainty::Certain    ? "is another: "
                                           : difference.certainty == Certainty::Possible ? "may be another: "
                                                                                         : "is trained otherwise: ") +
                               difference.text;
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
