// Saving a model only if what was written computes what the model does.
#pragma once

#include <string>
#include <vector>

#include "convert/compare.h"
#include "convert/random_inputs.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

struct CheckedView {
  std::string path;
  OutputComparison comparison;
};

struct CheckedSave {
  std::vector<CheckedView> views;
  std::vector<std::string> notes;  // as save returns them

  bool agrees() const;
};

struct CheckOptions {
  std::string device = "cpu";
  RandomInputs inputs;
  Tolerance tolerance{.equal_nan = true};  // what the model makes NaN of, what was written may make NaN of, too
};

/// Writes every view of the model, reads it back and runs it and the model on random inputs, or, where nothing is said
/// of these, on what an exported program was traced with. A view that lacks one half of the model is run with the other
/// half of the original. The destinations are replaced only if all views agree. Throws what save, load and make_runner
/// throw, UsageError if the model lacks a half.
CheckedSave checked_save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options,
                         const CheckOptions& check);

}  // namespace h5bridge
