#include "h5bridge/error.h"

#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "model/one_line.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// What is quoted is bounded where it is quoted; this bounds a message that lists a thousand layers.
constexpr std::size_t kLongestMessage = 10'000;

}  // namespace

Error::Error(ExitStatus status, const std::string& message)
    : std::runtime_error(shortened(one_line(message), kLongestMessage)), status_(status) {}

void rethrow_in_file(const Error& error, const std::string& file) {
  // What names the file already (it could not be opened) does not name it twice.
  const std::string_view said = error.what();
  const bool is_said = file.empty() || said.starts_with(file + ": ");
  const std::string message = is_said ? std::string(said) : file + ": " + std::string(said);
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
