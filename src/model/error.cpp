#include "h5bridge/error.h"

#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "model/quoted.h"

namespace h5bridge {
namespace {

// What is quoted is bounded where it is quoted; this bounds a message that lists a thousand layers.
constexpr std::size_t kLongestMessage = 10'000;

// Of a message that is not UTF-8 every byte beyond ASCII is escaped.
bool is_utf8(std::string_view text) {
  std::size_t following = 0;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (following > 0) {
      if ((code & 0xc0) != 0x80) return false;
      --following;
    } else if (code >= 0x80) {
      if (code < 0xc2 || code >= 0xf5) return false;
      following = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
    }
  }
  return following == 0;
}

std::string one_line(const std::string& message) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const bool is_text = is_utf8(message);
  std::string line;
  for (const char letter : message) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7f || (code >= 0x80 && !is_text)) {
      line += "\\x";
      line += kDigits[code >> 4];
      line += kDigits[code & 0xf];
    } else {
      line += letter;
    }
  }
  return shortened(line, kLongestMessage);
}

}  // namespace

Error::Error(ExitStatus status, const std::string& message) : std::runtime_error(one_line(message)), status_(status) {}

void rethrow_in_file(const Error& error, const std::string& file) {
  // What names the file already (it could not be opened) does not name it twice.
  const std::string_view said = error.what();
  const std::string message = said.starts_with(file + ": ") ? std::string(said) : file + ": " + std::string(said);
  switch (error.status()) {
    case ExitStatus::Disagrees: throw Disagreement(message);
    case ExitStatus::Usage: throw UsageError(message);
    case ExitStatus::Malformed: throw MalformedFile(message);
    case ExitStatus::Unsupported: throw Unsupported(message);
    case ExitStatus::System: throw SystemFailure(message);
    case ExitStatus::Done: break;
  }
  throw Error(error.status(), message);
}

void rethrow_as_error() {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw SystemFailure("not enough memory");
  } catch (const std::length_error&) {
    // A container asked for more than any memory holds.
    throw SystemFailure("not enough memory");
  } catch (const std::system_error& error) {
    throw SystemFailure(error.what());
  } catch (const std::exception& error) {
    throw SystemFailure(std::string("internal error: ") + error.what());
  } catch (...) {
    throw SystemFailure("internal error: an exception of an unknown kind");
  }
}

}  // namespace h5bridge
