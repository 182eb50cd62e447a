// Values that were flattened into one table, each with the path that leads to it, nested again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "files/pickle_writer.h"
#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// A key of a dict, or a place in a list.
using PathStep = std::variant<std::string, std::int64_t>;

/// A tensor whose bytes are elsewhere, under a key.
struct StoredTensor {
  DType dtype;
  Shape shape;
  std::string storage_key;
};

using NestedLeaf = std::variant<StoredTensor, Json>;

/// What the files of a folder have together.
std::uint64_t size_of_folder(const std::string& folder);

/// Collects leaves by their paths, and writes the dict that they were in.
class Nested {
 public:
  /// Throws MalformedFile where a path leads through another leaf, or is there twice.
  void add(const std::vector<PathStep>& path, NestedLeaf leaf);

  /// The pickle of it: dicts, lists where all steps are places, tensors as torch.save has them. Numbers that became
  /// texts on the way, those of an optimizer's "state", are numbers again.
  std::string pickled() const;

 private:
  struct Node {
    std::vector<PathStep> steps;             // to each of `inner`, in order
    std::vector<Node> inner;                 // in order
    std::map<PathStep, std::size_t> places;  // in `inner`
    std::optional<NestedLeaf> leaf;
  };

  static void put(pickle::Writer& code, const Node& node, bool are_numbers);
  static void put(pickle::Writer& code, const Json& value);

  Node root_;
};

}  // namespace h5bridge
