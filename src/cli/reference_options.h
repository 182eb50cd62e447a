// What `convert` keeps in its files to be tested by later.
#pragma once

#include "cli/options.h"

namespace h5bridge::cli {

struct ReferenceOptions {
  std::optional<std::int64_t> rows;  // of random inputs
  RunningOptions given;              // inputs, whose outputs somebody else made
  std::vector<std::string> expected;

  bool is_wanted() const { return rows || !given.inputs.empty() || !expected.empty(); }
};

/// --reference, --input, --input-layout and --expect.
void add_reference(CLI::App& command, ReferenceOptions& options);

/// Throws UsageError for options that do not go together, Unsupported where no destination has a place for it.
void check_reference(const ReferenceOptions& options, const std::vector<std::string>& destinations,
                     const SaveOptions& save);

/// That of `model`, whose weights are rounded already where they are to be.
Reference made_reference(const ReferenceOptions& options, const Model& model, const RandomInputs& random,
                         const CommonOptions& common);

}  // namespace h5bridge::cli
