// Names that are given once each.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>

namespace h5bridge {

/// As unique_name (h5bridge/architecture.h); a search for a name goes on where the last one ended, so that many of one
/// kind take no longer than as many of several.
class UniqueNames {
 public:
  template <typename Iterator>
  void insert(Iterator begin, Iterator end) {
    taken_.insert(begin, end);
  }
  void insert(const std::string& name) { taken_.insert(name); }

  std::string unique(const std::string& wanted) {
    for (std::size_t& count = counts_[wanted];; ++count)
      if (std::string name = count == 0 ? wanted : wanted + "_" + std::to_string(count); taken_.insert(name).second)
        return name;
  }

 private:
  std::set<std::string> taken_;
  std::unordered_map<std::string, std::size_t> counts_;  // below which all are taken
};

}  // namespace h5bridge
