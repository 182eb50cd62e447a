#include "cli/output.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "cli/option_names.h"
#include "h5bridge/error.h"

namespace h5bridge::cli {
namespace {

/// Names come from files: control characters would reach the terminal.
std::string printable(const std::string& text) { return SystemFailure(with_option_names(text)).what(); }

bool errors_are_json = false;
bool json_is_printed = false;

/// JSON itself has no word for NaN and infinities; readers other than Python's refuse them. Notes are among the texts.
Json presentable(Json json) {
  if (json.is_float() && !std::isfinite(json.as_float())) return json.dump();
  if (json.is_string()) return with_option_names(json.as_string());
  if (json.is_array())
    for (Json& element : json.as_array()) element = presentable(std::move(element));
  if (json.is_object())
    for (auto& [name, member] : json.as_object()) member = presentable(std::move(member));
  return json;
}

/// The characters of a UTF-8 text.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char letter) { return (letter & 0xc0) != 0x80; }));
}

}  // namespace

void print_line(const std::string& line) { std::cout << printable(line) << '\n'; }

void print_json(const Json& json) {
  std::cout << presentable(json).dump(2) << '\n';
  json_is_printed = true;
}

void print_error(ExitStatus status, const std::string& message) {
  std::cerr << "h5bridge: " << with_option_names(message) << '\n';
  if (!errors_are_json || json_is_printed) return;
  print_json(Json::Object{{"error", message}, {"status", static_cast<int>(status)}});
  std::cout.flush();
}

void print_errors_as_json() { errors_are_json = true; }

void print_notes(const CommonOptions& common, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) print_message(common, "note: " + note);
}

void print_message(const CommonOptions& common, const std::string& message) {
  if (!common.quiet) std::cerr << "h5bridge: " << printable(message) << '\n';
}

void finish_output() {
  std::cout.flush();
  if (!std::cout) throw SystemFailure("cannot write to standard output");
}

void print_table(const std::string& title, const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return;
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (column == widths.size()) widths.push_back(0);
      widths[column] = std::max(widths[column], width_of(row[column]));
    }
  print_line(title);
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column)
      line += "  " + row[column] + std::string(widths[column] - width_of(row[column]), ' ');
    print_line(line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_outputs(const OutputComparison& comparison) {
  for (const NamedAgreement& output : comparison.outputs)
    print_line("output \"" + output.name + "\": " + describe(output.agreement));
  if (comparison.first_layer)
    print_line("the first layer that differs is \"" + comparison.first_layer->name +
               "\": " + describe(comparison.first_layer->agreement));
}

ExitStatus status_of(bool agrees) { return agrees ? ExitStatus::Done : ExitStatus::Disagrees; }

}  // namespace h5bridge::cli
