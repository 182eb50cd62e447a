// The errors of h5bridge: one class for each exit status of the program (see the README).
//
// A message is one line: what is wrong, where in the file, what was found and what was expected. `in_file` puts the
// file's name before it; code that only sees a part of a file does not need to know which file that is.
#pragma once

#include <stdexcept>
#include <string>

namespace h5bridge {

enum class ExitStatus { Done = 0, Disagrees = 1, Usage = 2, Malformed = 3, Unsupported = 4, System = 5 };

/// Base of everything that leaves h5bridge, whatever a library below it threw.
class Error : public std::runtime_error {
 public:
  /// Control characters, which names in a hostile file may contain, are escaped: the message stays one line.
  Error(ExitStatus status, const std::string& message);
  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

/// Two things that should agree do not (verify, compare, validate, convert --check).
class Disagreement : public Error {
 public:
  explicit Disagreement(const std::string& message) : Error(ExitStatus::Disagrees, message) {}
};

/// The caller asked for something that makes no sense: an unknown option, two architectures, a bad shape.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ExitStatus::Usage, message) {}
};

/// A source is malformed, truncated or unsafe, or its tensors do not fit its architecture.
class MalformedFile : public Error {
 public:
  explicit MalformedFile(const std::string& message) : Error(ExitStatus::Malformed, message) {}
};

/// A source is well formed but holds something that has no equivalent (yet); the message names it.
class Unsupported : public Error {
 public:
  explicit Unsupported(const std::string& message) : Error(ExitStatus::Unsupported, message) {}
};

/// The system said no: no such file, no permission, disk full, not enough memory, no such device, built without
/// LibTorch. What nobody foresaw is one, too: "internal error: ...".
class SystemFailure : public Error {
 public:
  explicit SystemFailure(const std::string& message) : Error(ExitStatus::System, message) {}
};

/// Throws an error of `error`'s own class with "FILE: " before its message.
[[noreturn]] void rethrow_in_file(const Error& error, const std::string& file);

/// Runs `work`; an h5bridge error that leaves it names `file`.
template <typename Work>
auto in_file(const std::string& file, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    rethrow_in_file(error, file);
  }
}

/// Called in a handler: throws what is handled as an h5bridge error.
[[noreturn]] void rethrow_as_error();

/// Runs `work`; what leaves it is an h5bridge error. The library's edge: what stands in a public header goes through it
/// where other libraries or much memory are at work.
template <typename Work>
auto with_errors(Work&& work) {
  try {
    return work();
  } catch (...) {
    rethrow_as_error();
  }
}

}  // namespace h5bridge
