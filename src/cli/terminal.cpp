#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace h5bridge::cli {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool has_colours() {
  static const bool result = ::isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  return result;
}

const char* code_of(Colour colour) {
  switch (colour) {
    case Colour::Bold: return "\x1b[1m";
    case Colour::Cyan: return "\x1b[36m";
    case Colour::Dim: return "\x1b[2m";
  }
  return "";
}

}  // namespace

std::string coloured(Colour colour, const std::string& text) {
  return has_colours() && !text.empty() ? code_of(colour) + text + "\x1b[0m" : text;
}

std::optional<std::size_t> terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return std::nullopt;
  return size.ws_col;
}

}  // namespace h5bridge::cli
