// Replacing files as a whole: a destination holds the old file or the new one, never a part.
#pragma once

#include <string>
#include <vector>

namespace h5bridge {

/// Temporary siblings of destinations, renamed together at the end. What was not committed is removed.
class Replacement {
 public:
  Replacement() = default;
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  /// Where to write what is to become `destination`: an empty file beside it, so that the rename stays on one file
  /// system. Throws SystemFailure if it cannot be made, UsageError if the destination was named before.
  std::string temporary_for(const std::string& destination);
  /// Renames all. Throws SystemFailure.
  void commit();

 private:
  struct Pending {
    std::string temporary;
    std::string destination;
  };
  std::vector<Pending> pending_;
};

}  // namespace h5bridge
