// Which calls are needed only where a condition is so. A choice (a call of `cond`) needs one or the other of two
// values, and what makes one of them and nothing else may be left out where it is not needed.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// A call that needs one or the other of two values.
struct Conditional {
  Value predicate;
  Value if_true;
  Value if_false;
};

/// One way of a choice.
struct Branch {
  std::size_t choice;  // the number of the first of its nodes: neighbours that ask the same choose as one
  Value predicate;
  bool when;
  bool operator==(const Branch&) const = default;
};

class Branches {
 public:
  /// The architecture has been checked: its nodes stand in order, and their arguments fit.
  explicit Branches(const Architecture& architecture);

  /// The branches within which alone a node is needed, the outermost first. The predicate of each is made before it.
  const std::vector<Branch>& around(std::size_t node) const { return around_[node]; }
  /// What a node chooses, if it does.
  const std::optional<Conditional>& choice_at(std::size_t node) const { return choices_[node]; }
  /// The first of the nodes that choose as one with this one.
  std::size_t first_of_choice(std::size_t node) const { return first_[node]; }

 private:
  std::vector<std::optional<Conditional>> choices_;
  std::vector<std::size_t> first_;
  std::vector<std::vector<Branch>> around_;
};

/// The branches that both have around them.
std::vector<Branch> in_common(const std::vector<Branch>& a, const std::vector<Branch>& b);

}  // namespace h5bridge
