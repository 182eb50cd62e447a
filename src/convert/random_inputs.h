// Inputs made up for comparing two models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "h5bridge/error.h"
#include "passes/presentation.h"
#include "runner/runner.h"

namespace h5bridge {

struct RandomInputs {
  std::int64_t rows = 2;           // of the batch axis, where it is open
  std::string rows_asked_by = {};  // "--reference 4": who asked for so many, where somebody did
  std::uint64_t seed = 0;
  std::map<std::string, Shape> shapes;  // of inputs by name, as presented
  bool operator==(const RandomInputs&) const = default;
};

/// Normally distributed numbers; small integers for integers, and for whatever is looked up in a table, within which
/// they stay. Other integers are not 0, as they may be divided by.
/// Open sizes other than the batch get one small number, with which counted positions stay within their table. Throws
/// UsageError for a shape of no input, or one that does not fit the model, or the rows that were asked for.
std::vector<NamedTensor> random_inputs(const Architecture& architecture, const Presentation& presentation,
                                       const RandomInputs& wanted);

/// What `run` gives, which runs models on them. Throws Unsupported where a layer refuses them: nobody chose them.
template <typename Run>
auto on_random_inputs(Run&& run) {
  try {
    return run();
  } catch (const RefusedInputs& error) {
    throw Unsupported(std::string("random inputs do not fit the model, which can only be run on given ones: ") +
                      error.what() + "; --input-shape may give shapes that do");
  }
}

}  // namespace h5bridge
