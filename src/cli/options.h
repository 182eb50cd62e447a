// Options that several commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/examples.h"
#include "cli/progress.h"
#include "convert/random_inputs.h"
#include "convert/tensor_agreement.h"
#include "h5bridge/h5bridge.h"
#include "runner/runner.h"

namespace h5bridge::cli {

/// What a command does once its options are read; returns the exit status.
using Action = std::function<ExitStatus()>;

struct CommonOptions {
  std::string device = "cpu";
  bool json = false;
  bool quiet = false;
};
/// "5GB", "512MiB", "1000": a number of bytes of at least 1. Throws UsageError that names the option.
std::uint64_t bytes_of(const std::string& option, const std::string& text);

void add_common(CLI::App& command, CommonOptions& options);

/// The sources of one model, and how to read them.
struct SourceOptions {
  std::vector<std::string> sources;
  LoadOptions load;
};
void add_sources(CLI::App& command, SourceOptions& options);
/// --map with a file of names, which is another option where models are run: there, --names alone.
void add_names(CLI::App& command, LoadOptions& options, const std::string& spellings = "--map,--names");
/// For an option whose argument is a number from 1 on.
std::string positive_integer(const std::string& text);

void add_load_options(CLI::App& command, LoadOptions& options);

/// How a model is run.
struct RunningOptions {
  std::vector<std::string> inputs;
  std::optional<Framework> layout;
  std::int64_t batch_size = 0;
  std::optional<DType> dtype;
  bool exact = false;  // said so; what compares always is

  RunOptions run_options(const CommonOptions& common) const;
};
void add_running(CLI::App& command, RunningOptions& options);
/// --map without a file of names, which is another option where models are converted; also --mmap.
void add_map(CLI::App& command, LoadOptions& options);
void add_inputs(CLI::App& command, RunningOptions& options);
/// --expect.
CLI::Option* add_expected(CLI::App& command, std::vector<std::string>& expected);

void add_tolerance(CLI::App& command, Tolerance& tolerance);
void add_equal_nan(CLI::App& command, Tolerance& tolerance);

/// --seed and --input-shape.
void add_random_inputs(CLI::App& command, RandomInputs& options);

/// A subcommand that runs `run(options)` when it is chosen. Its options live as long as the program's.
template <typename Options>
std::pair<CLI::App&, Options&> add_command(CLI::App& program, const std::string& name, const std::string& description,
                                           Action& action, ExitStatus (*run)(const Options&)) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(name, description);
  command->footer(examples_text(name));
  command->callback([&action, options, run, name] {
    action = [options, run, name] {
      const Progress progress(name, options->common.quiet);
      return run(*options);
    };
  });
  add_common(*command, options->common);
  return {*command, *options};
}

}  // namespace h5bridge::cli
