// The commands, one file each.
#pragma once

#include "cli/options.h"

namespace h5bridge::cli {

/// Each adds its subcommand to the program; parsing sets `action` to what the chosen one does.
void add_convert(CLI::App& program, Action& action);
void add_inspect(CLI::App& program, Action& action);
void add_validate(CLI::App& program, Action& action);
void add_run(CLI::App& program, Action& action);
void add_verify(CLI::App& program, Action& action);
void add_compare(CLI::App& program, Action& action);
void add_plot(CLI::App& program, Action& action);
void add_completion(CLI::App& program, Action& action);

}  // namespace h5bridge::cli
