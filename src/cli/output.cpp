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

std::string shortened_to(const std::string& text, std::size_t width) {
  return width_of(text) <= width ? text : width == 0 ? "" : first_characters(text, width - 1) + "\u2026";
}

constexpr std::size_t kLeastWidth = 8;  // of a column that gives way
constexpr std::size_t kIndentation = 6;

// A name, what kind of thing it is, and what there is to say of it.
void print_row(const std::vector<std::string>& row, const std::vector<std::size_t>& widths, std::size_t room) {
  std::size_t last = row.size();
  while (last > 0 && row[last - 1].empty()) --last;
  std::size_t left = room;
  std::size_t gap = 0;  // up to where the next column begins
  for (std::size_t column = 0; column < last; ++column) {
    std::string cell = "  " + shortened_to(row[column], widths[column]);
    if (gap + width_of(cell) > left && column > 0) {
      std::cout << '\n' << std::string(kIndentation, ' ');
      left = room - std::min(room, kIndentation);
      gap = 0;
    }
    cell = shortened_to(cell, left);
    std::cout << std::string(gap, ' ') << (column == 1 ? coloured(Colour::Cyan, cell) : cell);
    left -= gap + width_of(cell);
    gap = widths[column] + 2 - std::min(widths[column] + 2, width_of(cell));
  }
  std::cout << '\n';
}

// Where a line may end: behind a space or a comma.
std::size_t end_of_line(const std::string& text, std::size_t begin, std::size_t width) {
  const std::size_t most = begin + first_characters(text.substr(begin), width).size();
  if (most >= text.size()) return text.size();
  const std::size_t at = text.find_last_of(" ,", most - 1);
  return at == std::string::npos || at <= begin ? most : at + 1;
}

}  // namespace

void print_line(const std::string& line) {
  Progress::erase();
  std::cout << printable(line) << '\n';
}

void print_json(Json json) {
  Progress::erase();
  std::cout << presentable(std::move(json)).dump(2) << '\n';
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

void print_wrapped(const std::string& line) {
  const std::string text = printable(line);
  const std::size_t width = std::max(terminal_width().value_or(std::string::npos), 2 * kIndentation);
  Progress::erase();
  std::size_t end = end_of_line(text, 0, width);
  std::cout << text.substr(0, end) << '\n';
  while (end < text.size()) {
    const std::size_t begin = end;
    end = end_of_line(text, begin, width - kIndentation);
    std::cout << std::string(kIndentation, ' ') << text.substr(begin, end - begin) << '\n';
  }
}

void print_table(const std::string& title, const std::vector<std::vector<std::string>>& given,
                 std::optional<std::size_t> shortened) {
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
  std::size_t wanted = 0;
  for (const std::size_t column : widths) wanted += column + 2;
  if (shortened && *shortened < widths.size() && wanted > width) {
    std::size_t& gives_way = widths[*shortened];
    gives_way -= std::min(wanted - width, gives_way - std::min(gives_way, kLeastWidth));
  }
  for (const auto& row : rows) print_row(row, widths, width);
}

void print_outputs(const OutputComparison& comparison) {
  for (const NamedAgreement& output : comparison.outputs)
    print_line("output \"" + output.name + (output.agreement.agrees() ? "\" agrees: " : "\" differs: ") +
               describe(output.agreement));
  if (comparison.first_layer)
    print_line("the first layer that differs is \"" + comparison.first_layer->name +
               "\": " + describe(comparison.first_layer->agreement));
  if (comparison.cause) print_line(describe(*comparison.cause));
}

ExitStatus status_of(bool agrees) { return agrees ? ExitStatus::Done : ExitStatus::Disagrees; }

}  // namespace h5bridge::cli
