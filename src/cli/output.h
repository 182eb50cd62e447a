// What commands print.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "convert/compare.h"
#include "h5bridge/json.h"

namespace h5bridge::cli {

/// A line on standard output.
void print_line(const std::string& line);
/// One JSON document on standard output, valid for every reader: NaN and infinities are the strings "NaN", "Infinity"
/// and "-Infinity".
void print_json(Json json);
/// A line on standard error and, with --json, {"error", "status"} on standard output, unless a document is there.
void print_error(ExitStatus status, const std::string& message);
/// Makes print_error do so: --json is among the arguments, which may be wrong themselves.
void print_errors_as_json();
/// A line on standard error, unless --quiet.
void print_message(const CommonOptions& common, const std::string& message);
/// What reading or writing a model left out or changed, on standard error.
void print_notes(const CommonOptions& common, const std::vector<std::string>& notes);
/// Throws SystemFailure if standard output did not take everything.
void finish_output();

/// Left-aligned columns, under a title; nothing if there are no rows. On a terminal, lines are no longer than its own:
/// the column `shortened` gives way first, and what then has no room stands on a line of its own.
void print_table(const std::string& title, const std::vector<std::vector<std::string>>& rows,
                 std::optional<std::size_t> shortened = {});

/// A line on standard output, which a terminal that is narrower has as several.
void print_wrapped(const std::string& line);

/// A line per output, then the first layer that differs.
void print_outputs(const OutputComparison& comparison);

ExitStatus status_of(bool agrees);

}  // namespace h5bridge::cli
