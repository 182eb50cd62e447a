#include "cli/output.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "cli/option_names.h"
#include "cli/terminal.h"
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

/// The first `count` characters of a UTF-8 text.
std::string first_characters(const std::string& text, std::size_t count) {
  std::size_t end = 0;
  while (end < text.size() && count > 0) {
    ++end;
    while (end < text.size() && (text[end] & 0xc0) == 0x80) ++end;
    --count;
  }
  return text.substr(0, end);
}

// A name, what kind of thing it is, and what there is to say of it. What the terminal has no room for is cut off.
void print_row(const std::vector<std::string>& row, const std::vector<std::size_t>& widths, std::size_t room) {
  std::size_t last = row.size();
  while (last > 0 && row[last - 1].empty()) --last;
  for (std::size_t column = 0; column < last; ++column) {
    std::string cell = "  " + row[column];
    const std::size_t width = width_of(cell);
    const bool is_cut = width > room;
    if (is_cut) cell = room > 0 ? first_characters(cell, room - 1) + "\u2026" : "";
    std::cout << (column == 1 ? coloured(Colour::Cyan, cell) : cell);
    if (is_cut) break;
    room -= width;
    const std::size_t gap = column + 1 < last ? std::min(widths[column] - width_of(row[column]), room) : 0;
    std::cout << std::string(gap, ' ');
    room -= gap;
  }
  std::cout << '\n';
}

}  // namespace

void print_line(const std::string& line) {
  Progress::erase();
  std::cout << printable(line) << '\n';
}

void print_json(const Json& json) {
  Progress::erase();
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
  Progress::erase();
  if (!common.quiet) std::cerr << "h5bridge: " << printable(message) << '\n';
}

void finish_output() {
  std::cout.flush();
  if (!std::cout) throw SystemFailure("cannot write to standard output");
}

void print_table(const std::string& title, const std::vector<std::vector<std::string>>& given) {
  if (given.empty()) return;
  std::vector<std::vector<std::string>> rows = given;
  std::vector<std::size_t> widths;
  for (auto& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column) {
      row[column] = printable(row[column]);
      if (column == widths.size()) widths.push_back(0);
      widths[column] = std::max(widths[column], width_of(row[column]));
    }
  Progress::erase();
  std::cout << coloured(Colour::Bold, printable(title)) << '\n';
  const std::size_t width = terminal_width().value_or(std::string::npos);
  for (const auto& row : rows) print_row(row, widths, width);
}

void print_outputs(const OutputComparison& comparison) {
  for (const NamedAgreement& output : comparison.outputs)
    print_line("output \"" + output.name + "\": " + describe(output.agreement));
  if (comparison.first_layer)
    print_line("the first layer that differs is \"" + comparison.first_layer->name +
               "\": " + describe(comparison.first_layer->agreement));
  if (comparison.cause) print_line(describe(*comparison.cause));
}

ExitStatus status_of(bool agrees) { return agrees ? ExitStatus::Done : ExitStatus::Disagrees; }

}  // namespace h5bridge::cli
